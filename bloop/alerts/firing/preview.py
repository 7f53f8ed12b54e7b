"""The alerts that a rule would have sent in the past. Uses the decisions of `decide`, as live.

Statuses are the current ones: issues muted or ignored now never appear. Signals reach back as far as they are kept,
counts as far as `MINUTES_DAYS` of retention.
"""

from __future__ import annotations

from bloop.alerts.firing import read as alerts
from bloop.alerts.firing import windows as minutes
from bloop.alerts.firing.compose import Composer
from bloop.alerts.firing.decide import Firing, on_signal, over_minutes, reach_ms
from bloop.alerts.message import AlertMessage
from bloop.alerts.rules.model import Rule, Spike, Threshold
from bloop.base.clock import minute_of
from bloop.db.engine import Db

SIGNALS_MAX = 20_000  # read, newest first


def preview(db: Db, rule: Rule, since_ms: int, until_ms: int) -> list[Firing]:
    """The firings in that time, in order, regardless of when the rule was created."""
    rule = rule._replace(after_signal_id=0, from_minute_ms=0)
    if isinstance(rule.config, Threshold | Spike):
        return _over_minutes(db, rule, since_ms, until_ms)
    fired: dict[tuple[int, str], int] = {}
    firings = []
    for signal in alerts.list_signals_between(db, since_ms, until_ms, limit=SIGNALS_MAX):
        key = (signal.project_id, signal.fingerprint or "")
        firing = on_signal(rule, signal, now_ms=signal.at_ms, fired_ms=fired.get(key))
        if firing is not None:
            fired[key] = firing.at_ms
            firings.append(firing)
    return firings


def messages(db: Db, rule: Rule, firings: list[Firing], origin: str) -> list[AlertMessage]:
    """The messages of `firings`, in order; counts of issues are the current ones."""
    composer = Composer(db, origin)
    if isinstance(rule.config, Threshold | Spike):
        return [composer.of_count(rule, firing, firing.at_ms) for firing in firings]
    ids = [firing.signal_id for firing in firings if firing.signal_id is not None]
    signals = {row.signal_id: row for row in alerts.get_signals(db, ids)}
    return [message for _, message in composer.of_signals(rule, firings, signals)]


def _over_minutes(db: Db, rule: Rule, since_ms: int, until_ms: int) -> list[Firing]:
    config, scope = rule.config, rule.scope
    assert isinstance(config, Threshold | Spike)
    if scope is None:
        return []
    first_ms, last_ms = minute_of(since_ms), minute_of(until_ms)
    by_project = minutes.counts(db, scope, first_ms - reach_ms(config), last_ms)
    firings = [
        firing
        for project_id, counts in by_project.items()
        for firing in over_minutes(rule, project_id, counts, first_ms, last_ms, fired_ms=None)
    ]
    return sorted(firings, key=lambda firing: (firing.at_ms, firing.project_id))
