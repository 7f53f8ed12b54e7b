"""One clean-up: everything that is old goes, a step at a time (retention/steps.py), then the room is given back.

CLEANER-1  A clean-up that was interrupted anywhere continues: what is due is found again from the tables (PRUNE-2),
    and its counts stand in the transactions that deleted.
CLEANER-2  When people change how long something is kept, the next step starts over with what holds now.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

from bloop import features
from bloop.base.config import Retention
from bloop.db.clean_up import CleanUpRun
from bloop.db.engine import Db
from bloop.db.sizes import count_pages, shrink_file
from bloop.db.tables import Keep, Table
from bloop.projects import read as projects
from bloop.retention import prune, read
from bloop.retention import store as book
from bloop.retention.policy import Policy, load_policy
from bloop.retention.read import RetentionRunRow
from bloop.retention.shrink import pages_to_free
from bloop.retention.steps import Hold, Steps

DUE_ROWS_MAX = 1_000_000  # on one list; what is beyond is found by the next
FIND_ISSUES = 500  # asked about in one read
PART_ROWS = 64  # deleted between two looks at the clock
STEP_ROWS_MAX = 4000
HOURS_ISSUES = 50
TRIM_ROWS = 200
VACUUM_PAGES = 8  # 27 µs each
CHECKPOINT_TRIES = 10  # at the end, so that the file shrinks now rather than with the writer's next checkpoint
CHECKPOINT_REST_S = 0.1

T = TypeVar("T")
Rests = Generator[float, None, T]  # seconds to rest after every step


class _PolicyChanged(Exception):
    """Rolls back the step that noticed, which has done nothing yet (CLEANER-2)."""


class Cleaner:
    """Works on the run `run_id`. `db` comes from `connection.open_cleaner` and has no other user meanwhile."""

    def __init__(
        self,
        db: Db,
        run_id: int,
        *,
        defaults: Retention,
        samples: int,
        now_ms: Callable[[], int],
        disk_is_low: Callable[[], bool] = lambda: False,
        measure: Callable[[], None] = lambda: None,
    ) -> None:
        self._db, self._run_id = db, run_id
        self._defaults, self._samples, self._now_ms = defaults, samples, now_ms
        self._measure = measure  # before the run is called finished: who waits for that wants new numbers
        self._steps = Steps(db, disk_is_low=disk_is_low)
        self._revision: int | None = None
        self._is_resumed = False
        self._pages_freed = 0  # by deleting issues: new events need not fill that space soon

    @property
    def held_s_max(self) -> float:
        """The longest the write lock was held so far."""
        return self._steps.held_s_max

    def work(self) -> Rests[None]:
        """Do it; yields how many seconds to rest. The caller may stop for good after any step."""
        run = read.get_run(self._db, self._run_id)
        self._is_resumed = run is not None and run.started_at_ms is not None
        with self._step():
            book.begin_run(self._db, self._run_id, self._now_ms())
        yield self._steps.rest_s()
        while True:
            policy = load_policy(self._db, self._defaults)
            self._revision = policy.revision
            with contextlib.suppress(_PolicyChanged):
                yield from self._old_rows(policy, self._now_ms())
                break
        self._revision = None
        yield from self._give_room_back()
        self._measure()
        with self._step():
            book.finish_run(self._db, self._run_id, self._now_ms())

    def _old_rows(self, policy: Policy, now_ms: int) -> Rests[None]:
        cutoffs = policy.cutoffs(now_ms)
        yield from self._features(policy, now_ms)
        yield from self._events(policy, now_ms)
        yield from self._hours(cutoffs.of(Keep.HOURS))
        for table in features.tables():
            if table.keep is not None:
                yield from self._small_table(table, cutoffs.of(table.keep))

    @contextlib.contextmanager
    def _step(self) -> Iterator[Hold]:
        with self._steps.step() as hold:
            if self._revision is not None and self._revision != read.revision(self._db):
                raise _PolicyChanged
            yield hold

    def _features(self, policy: Policy, now_ms: int) -> Rests[None]:
        """What features clean up themselves: first, because people may be waiting for it. The file shrinks by the space
        this frees."""
        free_before = count_pages(self._db).free
        run = CleanUpRun(
            db=self._db,
            step=self._step,
            rest_s=self._steps.rest_s,
            add_deleted=lambda issues, events: book.add_deleted(
                self._db, self._run_id, issues=issues, raw_events=events
            ),
            issues_before_ms=policy.issues_before_ms(projects.project_ids(self._db), now_ms),
        )
        for clean_up in features.clean_ups():
            yield from clean_up.work(run)
        self._pages_freed += max(0, count_pages(self._db).free - free_before)

    # Events

    def _events(self, policy: Policy, now_ms: int) -> Rests[None]:
        before_ms = {
            project_id: policy.events_before_ms(project_id, now_ms) for project_id in projects.project_ids(self._db)
        }
        is_all = False
        while not is_all:
            is_all = yield from self._find(before_ms)
            due = prune.count_due(self._db)
            with self._step():
                book.set_due(self._db, self._run_id, due)
            yield self._steps.rest_s()
            if due:
                yield from self._delete_due(max(before_ms.values()))

    def _find(self, before_ms_of: dict[int, int]) -> Rests[bool]:
        """List what is due, without the write lock; whether the list is complete."""
        prune.forget_due(self._db)
        room = DUE_ROWS_MAX
        for project_id, before_ms in before_ms_of.items():
            for ids in _parts(prune.crowded_fingerprints(self._db, project_id, self._samples), FIND_ISSUES):
                room -= prune.find_due(self._db, ids, before_ms=before_ms, samples=self._samples, rows_max=room)
                if room <= 0:
                    return False
                yield 0.0
        return True

    def _delete_due(self, before_ms: int) -> Rests[None]:
        after_id, rows = 0, PART_ROWS
        while ids := prune.next_due(self._db, after_id=after_id, before_ms=before_ms, rows_max=rows):
            taken = deleted = 0
            with self._step() as hold:
                for part in _parts(ids, PART_ROWS):
                    deleted += prune.delete_events(self._db, part, before_ms)
                    taken += len(part)
                    if hold.is_over:
                        break
                book.add_deleted(self._db, self._run_id, raw_events=deleted)
            after_id, rows = ids[taken - 1], min(2 * taken, STEP_ROWS_MAX)
            yield self._steps.rest_s()

    # Counts, and what is small

    def _hours(self, before_ms: int) -> Rests[None]:
        for ids in _parts(prune.all_fingerprints(self._db), FIND_ISSUES):
            todo = list(_parts(prune.with_old_hours(self._db, ids, before_ms), HOURS_ISSUES))
            while todo:
                deleted = 0
                with self._step() as hold:
                    while todo:
                        rows = prune.delete_hours(self._db, todo[-1], before_ms=before_ms, rows_max=TRIM_ROWS)
                        deleted += rows
                        if rows < TRIM_ROWS:
                            todo.pop()
                        if hold.is_over:
                            break
                    book.add_deleted(self._db, self._run_id, hours=deleted)
                yield self._steps.rest_s()
            yield 0.0

    def _small_table(self, table: Table, before_ms: int) -> Rests[None]:
        is_done = False
        while not is_done:
            deleted = 0
            with self._step() as hold:
                while not is_done:
                    rows = prune.delete_old(self._db, table, before_ms, TRIM_ROWS)
                    deleted += rows
                    is_done = rows < TRIM_ROWS
                    if hold.is_over:
                        break
                book.add_deleted(self._db, self._run_id, others=deleted)
            yield self._steps.rest_s()

    # Room

    def _is_lost(self, run: RetentionRunRow) -> bool:
        """Whether a kill has made this run forget how much space its deletions had freed."""
        return self._is_resumed and run.issues_deleted > 0

    def _give_room_back(self) -> Rests[None]:
        run = read.get_run(self._db, self._run_id)
        everything = self._steps.disk_is_low() or (run is not None and (run.asked_by is not None or self._is_lost(run)))
        pages = count_pages(self._db)
        wanted = pages_to_free(pages.total, pages.free, pages.page_bytes, everything=everything)
        left = wanted = max(wanted, min(self._pages_freed, pages.free))
        while left > 0:
            with self._step() as hold:
                before = count_pages(self._db).total
                while left > 0:
                    shrink_file(self._db, min(VACUUM_PAGES, left))
                    left -= VACUUM_PAGES
                    if hold.is_over:
                        break
                freed = before - count_pages(self._db).total
                book.add_deleted(self._db, self._run_id, bytes_freed=freed * pages.page_bytes)
            yield self._steps.rest_s()
            if not freed:
                break
        for _ in range(CHECKPOINT_TRIES if wanted else 0):
            if self._steps.checkpoint():
                break
            yield CHECKPOINT_REST_S


def _parts(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (items[start : start + size] for start in range(0, len(items), size))
