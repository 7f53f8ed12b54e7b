"""Saved views on the overview of the settings."""

from __future__ import annotations

from collections.abc import Iterator

from bloop.db.engine import Db
from bloop.issues.saved_views.read import own_views, shared_views
from bloop.site.deps import Deps
from bloop.site.settings_nav import VIEWS, SettingLine, SettingsGroup, SettingsRequest


def setting_lines(deps: Deps, db: Db, request: SettingsRequest) -> Iterator[SettingLine]:
    own, shared = len(own_views(db, request.principal.id)), len(shared_views(db))
    value = f"{own:,} of yours, {shared:,} shared" if own or shared else "None"
    yield SettingLine(SettingsGroup.YOU, 50, "filter", VIEWS.label, value, VIEWS.href)
