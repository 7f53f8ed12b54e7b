"""When a rule fires. Pure: rows and the clock come in, firings go out.

D1  Signals: one firing at most for each. Ignored and muted issues are silent, and an issue that is gone is.
D2  Windows are sliding, in whole minutes: at a minute they hold that minute, however much of it has passed, and those
    before it, never more than was asked for. Within a minute counts only grow, so a rule that fires while it runs
    fires there too when it is looked at later: what a preview says is what was said live.
D3  A rule is asked in minutes that brought events. What is over does not fire again only because a cooldown ended.
D4  Cooldown goes from firing to firing of one rule, project and key. For windows it is measured between minutes, and
    one minute fires once at most. A last firing in the future, after a clock was put right, is not believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bloop.alerts.firing.read import Happened
from bloop.alerts.rules.model import NewIssue, Regression, Rule, Spike, Threshold, WindowConfig
from bloop.base.clock import MINUTE_MS

NEW, REGRESSED, UNMUTED = "issue.new", "issue.regressed", "issue.unmuted"
SILENT = ("ignored", "muted")  # statuses, spelled out as in windows.py: issues read alerts, so not the other way round


class Firing(NamedTuple):
    """`at_ms` is when it was decided, for windows the minute; `events` and the rest are of windows alone."""

    project_id: int
    key: str
    at_ms: int
    signal_id: int | None = None
    kind: str = ""
    issue_id: int | None = None
    events: int = 0
    previous: int = 0  # the same number of minutes before
    baseline: float = 0.0  # of a spike: what the baseline would have had in those minutes


def on_signal(rule: Rule, happened: Happened, *, now_ms: int, fired_ms: int | None) -> Firing | None:
    """`fired_ms` is when the rule last fired about this fingerprint (D1, D4)."""
    if not _concerns(rule, happened) or happened.fingerprint is None or happened.status in SILENT:
        return None
    if fired_ms is not None and 0 <= now_ms - fired_ms < rule.cooldown_ms:
        return None
    return Firing(
        happened.project_id, happened.fingerprint, now_ms, happened.signal_id, happened.kind, happened.issue_id
    )


def _concerns(rule: Rule, happened: Happened) -> bool:
    if happened.signal_id <= rule.after_signal_id:
        return False
    if happened.kind == NEW:
        wanted = isinstance(rule.config, NewIssue)
    else:
        wanted = happened.kind in (REGRESSED, UNMUTED) and isinstance(rule.config, Regression)
    scope = rule.scope
    return (
        wanted
        and scope is not None
        and scope.project_id in (None, happened.project_id)
        and scope.environment in (None, happened.environment)
        and scope.source in (None, happened.source)
    )


def over_minutes(
    rule: Rule, project_id: int, counts: Mapping[int, int], first_ms: int, last_ms: int, *, fired_ms: int | None
) -> Iterator[Firing]:
    """What fires in the minutes from `first_ms` to `last_ms`, both inclusive, in order (D2 to D4).

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
        if (found := _exceeds(config, sums, minute_ms)) is not None:
            fired_ms = minute_ms
            events, previous, baseline = found
            yield Firing(
                project_id,
                key_of(config),
                minute_ms,
                events=events,
                previous=previous,
                baseline=baseline,
            )


def reach_ms(config: WindowConfig) -> int:
    """How far before a minute its windows, and those they are compared with, begin."""
    before = max(config.minutes, config.baseline_minutes) if isinstance(config, Spike) else config.minutes
    return (config.minutes + before) * MINUTE_MS


def key_of(config: WindowConfig) -> str:
    """What the cooldown of a counting rule goes by, beside rule and project."""
    return config.fingerprint or ("rate" if isinstance(config, Spike) else "count")


def _exceeds(config: WindowConfig, sums: _Sums, minute_ms: int) -> tuple[int, int, float] | None:
    """Count, the count before and the baseline's, when the rule fires at this minute."""
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
        """Of so many minutes, `minute_ms` being the last."""
        end = (minute_ms - self._first) // MINUTE_MS + 1
        return self._upto(end) - self._upto(end - minutes)

    def before(self, minute_ms: int, skip: int, minutes: int) -> int:
        """Of so many minutes that end `skip` minutes earlier."""
        return self.ending(minute_ms - skip * MINUTE_MS, minutes)

    def _upto(self, index: int) -> int:
        return self._totals[min(max(index, 0), len(self._totals) - 1)]
