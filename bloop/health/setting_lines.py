"""The state of bloop on the overview of the settings."""

from __future__ import annotations

from collections.abc import Iterator

from bloop.db.engine import Db
from bloop.health.views import current_banners
from bloop.site.deps import Deps
from bloop.site.settings_nav import SYSTEM, LineState, SettingLine, SettingsGroup, SettingsRequest


def setting_lines(deps: Deps, db: Db, request: SettingsRequest) -> Iterator[SettingLine]:
    banners = current_banners(deps)
    value, state = (banners[0].text, LineState.BAD) if banners else ("Healthy", LineState.NORMAL)
    yield SettingLine(SettingsGroup.SERVER, 60, "insights", SYSTEM.label, value, SYSTEM.href, state)
