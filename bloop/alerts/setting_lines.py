"""Alerts on the overview of the settings: the rules that watch one project."""

from __future__ import annotations

from collections.abc import Iterator

from bloop.alerts.rules.read import list_rules
from bloop.base.clock import DAY_MS
from bloop.db.engine import Db
from bloop.site.deps import Deps
from bloop.site.settings_nav import ALERTS, LineState, SettingLine, SettingsGroup, SettingsRequest, plural


def setting_lines(deps: Deps, db: Db, request: SettingsRequest) -> Iterator[SettingLine]:
    if not request.slug:
        return
    rules = [rule for rule in list_rules(db) if rule.project_slug in (None, request.slug)]
    since_ms = request.now_ms - DAY_MS
    fired = sum(rule.last_fired_at_ms is not None and rule.last_fired_at_ms >= since_ms for rule in rules)
    value = f"{plural(len(rules), 'rule')}, {fired:,} fired in the last 24\u00a0h" if rules else "No rules"
    state = LineState.NORMAL if rules else LineState.WARN
    yield SettingLine(SettingsGroup.PROJECT, 50, "alerts", "Alert rules", value, ALERTS.href, state)
