"""Backups on the overview of the settings."""

from __future__ import annotations

from collections.abc import Iterator

from bloop.backup import read as query
from bloop.db.engine import Db
from bloop.site.deps import Deps
from bloop.site.filters import plain, relative
from bloop.site.settings_nav import STORAGE, LineState, SettingLine, SettingsGroup, SettingsRequest

ERROR_CHARS_MAX = 80


def setting_lines(deps: Deps, db: Db, request: SettingsRequest) -> Iterator[SettingLine]:
    if not request.principal.is_admin:
        return
    good, failing, proven_at_ms = query.last_good(db), query.failing(db), query.last_proven_at_ms(db)
    state = LineState.NORMAL
    if failing is not None:
        value, state = f"The last one failed: {plain(failing)[:ERROR_CHARS_MAX]}", LineState.BAD
    elif not deps.settings.backup.enabled:
        value, state = "Nightly backups are off", LineState.WARN
    elif good is None or good.started_at_ms is None:
        value = "None yet: the first one is made tonight"
    else:
        tested = (
            "not test-restored" if proven_at_ms is None else f"restore tested {relative(proven_at_ms, request.now_ms)}"
        )
        value = f"Last one {relative(good.started_at_ms, request.now_ms)}, {tested}"
    yield SettingLine(SettingsGroup.SERVER, 50, "data", "Backups", value, f"{STORAGE.href}#backups", state)
