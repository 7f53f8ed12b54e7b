"""Events in the pipeline: their rows, the issues they belong to, and everything that is counted about them.

What is stored in a batch is remembered until it is counted; `settled` in the database says from which event on.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

import apsw

from bloop.grouping import v1
from bloop.issues import store as issues
from bloop.issues.counts import fold
from bloop.issues.counts import store as counters
from bloop.issues.counts.fold import Seen
from bloop.issues.events import store as events
from bloop.pipeline.signals import Signal
from bloop.records.record import ErrorRecord, Kind, decode_error


def culprit_of(record: ErrorRecord) -> str | None:
    """The frame an issue is shown with, from its first event."""
    return v1.culprit(record.event)


class EventStore:
    """A `bloop.pipeline.kinds.KindStore`."""

    kind = Kind.ERROR
    is_counted = True

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._ids = issues.IssueIds()
        self._unsettled = events.unsettled(db)
        self._fresh: list[Seen] = []  # of the transaction that is open

    @property
    def unsettled(self) -> int:
        return len(self._unsettled)

    def decode(self, payload: bytes) -> ErrorRecord:
        return decode_error(payload)

    def insert(self, records: Sequence[ErrorRecord]) -> list[Signal]:
        groups = fold.group_by_issue(records)
        try:
            located, signals = issues.locate(self._db, self._ids, groups, culprit_of=culprit_of)
            events.append(self._db, [events.row_of(issue_id, r) for issue_id, group in located.items() for r in group])
        except BaseException:
            self._ids.rollback()
            raise
        self._fresh += [fold.seen(issue_id, r) for issue_id, group in located.items() for r in group]
        return signals

    def hold(self) -> None:
        if not self._unsettled:
            events.mark_settled(self._db)  # what follows is not: count from here after a crash

    def settle(self, projects: Container[int]) -> list[Signal]:
        uncounted = self._unsettled + self._fresh
        if not uncounted:
            return []
        # Element 1 is the project: of one deleted meanwhile nothing may come back once its rows are purged.
        counted = [seen for seen in uncounted if seen[1] in projects]
        totals = fold.add_up(counted)
        counters.add_releases(self._db, totals)
        statuses, signals = issues.count(self._db, totals, counted)
        counters.add(self._db, totals, statuses)
        events.mark_settled(self._db)
        return signals

    def commit(self, *, is_settled: bool) -> None:
        self._ids.commit()
        self._unsettled = [] if is_settled else self._unsettled + self._fresh
        self._fresh = []

    def rollback(self) -> None:
        self._ids.rollback()
        self._fresh = []

    def recover(self) -> None:
        self._ids.forget_all()
        self._unsettled = issues.still_there(self._db, self._unsettled)
