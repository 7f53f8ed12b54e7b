"""Changes by events and time: resolved issues regress or keep firing, mutes end. In the caller's transaction.

The writer calls `follow` for the few issues that are resolved, or muted until something happens; the rest of a batch
never gets here. Decisions are in bloop/lifecycle/.

FOLLOW-1  Every event of a batch is looked at, with its own release and environment, not just the last one.
FOLLOW-2  An issue that came back, or whose mute ended, is open: no further event does it again. What is written here
    commits together with the counts of the same events, so a batch that is counted again after a crash changes nothing
    twice.
FOLLOW-3  An event that was received before the resolving or muting does nothing: it waited in the ring meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from bloop.db.engine import Db
from bloop.issues.counts.fold import CountedEvent
from bloop.issues.status import audit
from bloop.issues.status.audit import SWEEP, WRITER
from bloop.issues.status.model import Status
from bloop.issues.status.mutes import Mute, MuteEnd, Progress, step
from bloop.issues.status.regression import Resolution, is_back
from bloop.pipeline import signals
from bloop.pipeline.signals import Signal, SignalKind
from bloop.releases import read as releases
from bloop.releases.model import FirstSeen

SWEPT_MAX = 500  # mutes ended in one transaction

_SELECT = """
SELECT id, project_id, status, resolved_at_ms, resolved_in_release, resolved_in_next, is_firing,
       muted_at_ms, muted_until_ms, muted_events, muted_per_hour, muted_progress
  FROM issues
 WHERE id = ?
"""
# Served by issues_muted_until.
_SELECT_DUE = """
SELECT id, project_id, muted_until_ms, last_release, source, route
  FROM issues
 WHERE muted_until_ms <= :now_ms
 ORDER BY muted_until_ms
 LIMIT :limit
"""
_REGRESS = """
UPDATE issues
   SET status = 'regressed', times_regressed = times_regressed + 1, is_firing = 0,
       resolved_at_ms = NULL, resolved_in_release = NULL, resolved_in_next = 0
 WHERE id = ?
"""
_FIRE = "UPDATE issues SET is_firing = 1 WHERE id = ?"
_UNMUTE = """
UPDATE issues
   SET status = 'unresolved', muted_at_ms = NULL, muted_until_ms = NULL, muted_events = NULL, muted_per_hour = NULL,
       muted_progress = NULL
 WHERE id = ?
"""
_KEEP_PROGRESS = "UPDATE issues SET muted_progress = ? WHERE id = ?"


class _Issue(NamedTuple):
    id: int
    project_id: int
    status: str
    resolved_at_ms: int | None
    resolved_in_release: str | None
    resolved_in_next: int
    is_firing: int
    muted_at_ms: int | None
    muted_until_ms: int | None
    muted_events: int | None
    muted_per_hour: int | None
    muted_progress: str | None


def follow(
    db: Db, issue_ids: Collection[int], events: Iterable[CountedEvent]
) -> tuple[dict[int, Status], list[Signal]]:
    """Let these issues follow their events (FOLLOW-1); the statuses that changed, and what there is to tell.

    Call it when the releases of the events are registered already.
    """
    statuses: dict[int, Status] = {}
    new_signals: list[Signal] = []
    registry = _Registry(db)
    for issue_id, own in _by_issue(issue_ids, events).items():
        issue = _Issue(*db.execute(_SELECT, (issue_id,)).fetchone())  # type: ignore[misc]
        is_resolved = issue.status == Status.RESOLVED
        signal = _follow_resolved(db, issue, own, registry) if is_resolved else _follow_muted(db, issue, own)
        if signal is not None:
            new_signals.append(signal)
            statuses[issue_id] = Status.REGRESSED if signal.kind is SignalKind.ISSUE_REGRESSED else Status.UNRESOLVED
    return statuses, new_signals


def end_due_mutes(db: Db, now_ms: int) -> int:
    """End the mutes whose time has come, at most SWEPT_MAX at once; how many. The longest overdue first.

    For a process that looks now and then: an event that arrives after the time ends its mute by itself.
    """
    due = list(db.execute(_SELECT_DUE, {"now_ms": now_ms, "limit": SWEPT_MAX}))
    new_signals = []
    for issue_id, project_id, until_ms, release, source, route in due:
        db.execute(_UNMUTE, (issue_id,))
        detail = {"ended": MuteEnd.TIME.value, "until_ms": until_ms}
        audit.write(db, (issue_id, project_id), (Status.MUTED, Status.UNRESOLVED), SWEEP, now_ms, detail=detail)
        data = {"release": release, "environment": None, "source": source, "route": route, **detail}
        new_signals.append(Signal(SignalKind.ISSUE_UNMUTED, project_id, issue_id, now_ms, data))
    signals.append(db, new_signals)
    return len(due)


def _by_issue(issue_ids: Collection[int], events: Iterable[CountedEvent]) -> dict[int, list[CountedEvent]]:
    """The events of these issues, in the order they were received: lanes are drained one after the other."""
    by_issue: dict[int, list[CountedEvent]] = {issue_id: [] for issue_id in issue_ids}
    for event in events:
        if event[0] in by_issue:
            by_issue[event[0]].append(event)
    for own in by_issue.values():
        own.sort(key=_received_at_ms)
    return by_issue


def _received_at_ms(event: CountedEvent) -> int:
    return event[2]


def _follow_resolved(db: Db, issue: _Issue, events: Sequence[CountedEvent], registry: _Registry) -> Signal | None:
    resolution = Resolution(issue.resolved_in_release, bool(issue.resolved_in_next))
    resolved_at_ms = issue.resolved_at_ms or 0
    later = [event for event in events if event[2] >= resolved_at_ms]  # FOLLOW-3
    decided: dict[tuple[str, str], bool] = {}
    for event in later:
        place = release, environment = event[3], event[4]
        if place not in decided:
            decided[place] = is_back(resolution, resolved_at_ms, release, environment, registry.of(issue.project_id))
        if decided[place]:
            db.execute(_REGRESS, (issue.id,))
            return _tell(db, issue, event, SignalKind.ISSUE_REGRESSED, Status.REGRESSED, {})
    if later and not issue.is_firing:
        db.execute(_FIRE, (issue.id,))
    return None


def _follow_muted(db: Db, issue: _Issue, events: Sequence[CountedEvent]) -> Signal | None:
    mute = Mute(issue.muted_until_ms, issue.muted_events, issue.muted_per_hour)
    later = [event for event in events if event[2] >= (issue.muted_at_ms or 0)]  # FOLLOW-3
    if not later:
        return None
    advanced = step(mute, _progress(issue.muted_progress), [event[2] for event in later])
    if advanced.ended is None or advanced.at is None:
        db.execute(_KEEP_PROGRESS, (_stored(mute, advanced.progress), issue.id))
        return None
    db.execute(_UNMUTE, (issue.id,))
    detail = {
        "ended": advanced.ended.value,
        **{name: value for name, value in mute._asdict().items() if value is not None},
    }
    return _tell(db, issue, later[advanced.at], SignalKind.ISSUE_UNMUTED, Status.UNRESOLVED, detail)


def _tell(
    db: Db, issue: _Issue, event: CountedEvent, kind: SignalKind, status: Status, detail: dict[str, Any]
) -> Signal:
    """The audit line and the signal of what `event` did."""
    _, _, at_ms, release, environment, source, route = event
    statuses = (issue.status, status)
    audit.write(db, (issue.id, issue.project_id), statuses, WRITER, at_ms, release=release, detail=detail)
    data = {"release": release, "environment": environment, "source": source, "route": route, **detail}
    return Signal(kind, issue.project_id, issue.id, at_ms, data)


def _progress(stored: str | None) -> Progress:
    value = orjson.loads(stored) if stored else 0
    return Progress(minutes=dict(value)) if isinstance(value, list) else Progress(events=value)


def _stored(mute: Mute, progress: Progress) -> str | None:
    if mute.per_hour is not None:
        return orjson.dumps(list(progress.minutes.items())).decode()
    return None if mute.events is None else str(progress.events)


class _Registry:
    """When releases were first seen, asked once per release and batch."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._known: dict[tuple[int, str], FirstSeen] = {}

    def of(self, project_id: int) -> Any:
        """`order.FirstSeenOf` of one project."""

        def first_seen(release: str) -> FirstSeen:
            key = (project_id, release)
            if key not in self._known:
                self._known[key] = releases.first_seen(self._db, *key)
            return self._known[key]

        return first_seen
