"""When a rule fires. Pure: rows and the clock come in, firings go out.

DECIDE-1  Each signal fires a rule at most once. Ignored, muted and deleted issues never fire.
DECIDE-2  Windows slide in whole minutes: at a minute they hold that minute, even if not over, and the ones before it.
          Within a minute counts only grow, so a rule that fires live also fires there in hindsight: a preview shows
          what would have been sent.
DECIDE-3  Windows are evaluated in minutes with events. A rule does not fire again only because its cooldown ended.
DECIDE-4  The cooldown runs from firing to firing of one rule, project and key. For windows it is measured in minutes,
          and one minute fires at most once. A last firing in the future, after a clock was corrected, is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bloop.alerts.firing.read import IssueSignal
from bloop.alerts.rules.model import NewIssue, Regression, Rule, Spike, Threshold, WindowConfig
from bloop.base.clock import MINUTE_MS

NEW, REGRESSED, UNMUTED = "issue.new", "issue.regressed", "issue.unmuted"
SILENT = ("ignored", "muted")  # spelled out as in windows.py: issues import alerts, so alerts cannot import issues


class Firing(NamedTuple):
    """`at_ms` is the time of the decision, for windows the minute; `events` and below are for windows only."""

    project_id: int
    key: str
    at_ms: int
    signal_id: int | None = None
    kind: str = ""
    issue_id: int | None = None
    events: int = 0
    previous: int = 0  # the same number of minutes before
    baseline: float = 0.0  # of a spike: the baseline's events, scaled to those minutes


def on_signal(rule: Rule, signal: IssueSignal, *, now_ms: int, fired_ms: int | None) -> Firing | None:
    """`fired_ms` is when the rule last fired about this fingerprint (DECIDE-1, DECIDE-4)."""
    if not _concerns(rule, signal) or signal.fingerprint is None or signal.status in SILENT:
        return None
    if fired_ms is not None and 0 <= now_ms - fired_ms < rule.cooldown_ms:
        return None
    return Firing(signal.project_id, signal.fingerprint, now_ms, signal.signal_id, signal.kind, signal.issue_id)


def _concerns(rule: Rule, signal: IssueSignal) -> bool:
    if signal.signal_id <= rule.after_signal_id:
        return False
    if signal.kind == NEW:
        is_type = isinstance(rule.config, NewIssue)
    else:
        is_type = signal.kind in (REGRESSED, UNMUTED) and isinstance(rule.config, Regression)
    scope = rule.scope
    return (
        is_type
        and scope is not None
        and scope.project_id in (None, signal.project_id)
        and scope.environment in (None, signal.environment)
        and scope.source in (None, signal.source)
        and scope.fingerprint in (None, signal.fingerprint)
    )


def over_minutes(
    rule: Rule, project_id: int, counts: Mapping[int, int], first_ms: int, last_ms: int, *, fired_ms: int | None
) -> Iterator[Firing]:
    """The firings in the minutes from `first_ms` to `last_ms`, both inclusive, in order (DECIDE-2 to DECIDE-4).

    `counts` are events by the start of their minute, from `reach_ms` before `first_ms` on. `fired_ms` is the minute of
    the last firing.
    """
    config = rule.config
    assert isinstance(config, Threshold | Spike)
    if fired_ms is not None and fired_ms > last_ms:
        fired_ms = None
    sums = _Sums(counts)
    for minute_ms in sorted(minute_ms for minute_ms in counts if first_ms <= minute_ms <= last_ms):
        if fired_ms is not None and minute_ms - fired_ms < max(rule.cooldown_ms, MINUTE_MS):
            continue
        if (exceeded := _exceeds(config, sums, minute_ms)) is not None:
            fired_ms = minute_ms
            events, previous, baseline = exceeded
            yield Firing(
                project_id,
                key_of(config),
                minute_ms,
                events=events,
                previous=previous,
                baseline=baseline,
            )


def reach_ms(config: WindowConfig) -> int:
    """How far back from a minute its windows and their comparison windows reach."""
    before = max(config.minutes, config.baseline_minutes) if isinstance(config, Spike) else config.minutes
    return (config.minutes + before) * MINUTE_MS


def key_of(config: WindowConfig) -> str:
    """The cooldown key of a counting rule, besides rule and project."""
    return config.fingerprint or ("rate" if isinstance(config, Spike) else "count")


def _exceeds(config: WindowConfig, sums: _Sums, minute_ms: int) -> tuple[int, int, float] | None:
    """The count, the previous count and the baseline, if the rule fires at this minute."""
    events, previous = sums.ending(minute_ms, config.minutes), sums.before(minute_ms, config.minutes, config.minutes)
    if isinstance(config, Threshold):
        return (events, previous, 0.0) if events > config.threshold else None
    before = sums.before(minute_ms, config.minutes, config.baseline_minutes)
    baseline = before * config.minutes / config.baseline_minutes
    fires = events >= config.min_count and events > config.multiplier * baseline
    return (events, previous, baseline) if fires else None


class _Sums:
    """Sums of counts over ranges of minutes, by running totals."""

    def __init__(self, counts: Mapping[int, int]) -> None:
        self._first = min(counts, default=0)
        last = max(counts, default=0)
        self._totals = [0]
        for minute_ms in range(self._first, last + 1, MINUTE_MS):
            self._totals.append(self._totals[-1] + counts.get(minute_ms, 0))

    def ending(self, minute_ms: int, minutes: int) -> int:
        """The sum of `minutes` minutes, the last one being `minute_ms`."""
        end = (minute_ms - self._first) // MINUTE_MS + 1
        return self._upto(end) - self._upto(end - minutes)

    def before(self, minute_ms: int, skip: int, minutes: int) -> int:
        """The sum of `minutes` minutes that end `skip` minutes earlier."""
        return self.ending(minute_ms - skip * MINUTE_MS, minutes)

    def _upto(self, index: int) -> int:
        return self._totals[min(max(index, 0), len(self._totals) - 1)]
