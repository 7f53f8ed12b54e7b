"""The ledger on the overview of the settings: what arrived in a day, and what of it was lost."""

from __future__ import annotations

from collections.abc import Iterator

from bloop.base.clock import DAY_MS, minute_of
from bloop.base.outcomes import Outcome
from bloop.db.engine import Db
from bloop.ledger.pages import LOST
from bloop.ledger.read import all_project_ids, outcomes_since
from bloop.site.deps import Deps
from bloop.site.settings_nav import LEDGER, LineState, SettingLine, SettingsGroup, SettingsRequest


def setting_lines(deps: Deps, db: Db, request: SettingsRequest) -> Iterator[SettingLine]:
    outcomes = outcomes_since(db, all_project_ids(db), minute_of(request.now_ms) - DAY_MS)
    lost = sum(outcomes.get(outcome, 0) for outcome in LOST)
    value = f"{outcomes.get(Outcome.RECEIVED, 0):,} events received in the last 24\u00a0h, {lost:,} lost"
    state = LineState.WARN if lost else LineState.NORMAL
    yield SettingLine(SettingsGroup.SERVER, 70, "check", LEDGER.label, value, LEDGER.href, state)
