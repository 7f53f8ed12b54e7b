"""Discards issues that are old or wait for it, and removes the rows of discarded ones, a few at a time.

CLEAN-ISSUES-1  A step holds the write lock for a few milliseconds, whatever an issue has below it.
CLEAN-ISSUES-2  Nothing is remembered between steps: a kill costs only time.
CLEAN-ISSUES-3  What the writer has not counted yet is not found here. The writer removes it, because its fingerprint
    belongs to no live project (DELETE-2).
"""

from __future__ import annotations

from collections.abc import Iterator

from bloop import features
from bloop.db.clean_up import CleanUpRun, FeatureCleanUp
from bloop.db.engine import Db, ids_json
from bloop.db.tables import PurgeBy
from bloop.issues.deletion import read
from bloop.issues.deletion.store import discard, discard_unseen

LISTED = 1000  # ids read at once
DISCARDED = 20  # issues between two looks at the clock
PURGED_ISSUES = 20
PURGED_ROWS = 64


def work(run: CleanUpRun) -> Iterator[float]:
    yield from _discard_waiting(run)
    for project_id, before_ms in run.issues_before_ms.items():
        yield from _discard_unseen(run, project_id, before_ms)
    yield from _purge(run)


def _discard_waiting(run: CleanUpRun) -> Iterator[float]:
    while ids := read.waiting_ids(run.db, LISTED):
        while ids:
            with run.step() as clock:
                while ids:
                    discard(run.db, ids[:DISCARDED])
                    ids = ids[DISCARDED:]
                    if clock.is_over:
                        break
            yield run.rest_s()


def _discard_unseen(run: CleanUpRun, project_id: int, before_ms: int) -> Iterator[float]:
    while ids := read.unseen_ids(run.db, project_id, before_ms, LISTED):
        while ids:
            with run.step() as clock:
                while ids:
                    discard_unseen(run.db, ids[:DISCARDED], before_ms)
                    ids = ids[DISCARDED:]
                    if clock.is_over:
                        break
            yield run.rest_s()


def _purge(run: CleanUpRun) -> Iterator[float]:
    while read.discarded_ids(run.db, 1):
        issues = events = 0
        with run.step() as clock:
            while ids := read.discarded_ids(run.db, PURGED_ISSUES):
                counts = _purge_rows(run.db, ids)
                issues, events = issues + counts[0], events + counts[1]
                if clock.is_over:
                    break
            run.add_deleted(issues, events)
        yield run.rest_s()


def _purge_rows(db: Db, issue_ids: list[int]) -> tuple[int, int]:
    """Remove PURGED_ROWS rows of these issues, children first; how many issues and events were among them."""
    remaining = PURGED_ROWS
    issues = events = 0
    for table in features.tables():
        for statement in table.purge if table.purge_by is PurgeBy.ISSUE else ():
            db.execute(statement, {"ids": ids_json(issue_ids), "rows_max": remaining})
            deleted = db.changes()
            issues += deleted if table.name == "issues" else 0
            events += deleted if table.name == "events" else 0
            remaining -= deleted
            if remaining <= 0:
                return issues, events
    return issues, events


CLEAN_UP = FeatureCleanUp(read.is_waiting, work)
