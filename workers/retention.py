"""The retention process: deletes expired data and returns the space to the disk. `python -m workers.retention`

    prune        at the start, every `retention.prune_interval_secs`, when asked, and while the disk is full
    mutes        twice a minute: ends the mutes that are over
    measure      hourly: sizes and row counts for the storage page
    sweep        hourly: deletes expired sign-ins, challenges, links and invites, and ended project keys but their hash
    statistics   daily: of tables that have grown, for SQLite's planner
    dictionary   daily: whether one made of the own events would pack them better
    index        every few seconds: what searches for events read (bloop/issues/events/index.py)
    backup       nightly, or when asked (workers/backups.py)

Jobs take turns on one thread (workers/background.py). To add a job, write a function that returns after how many
seconds to run it again, and a line in `make_jobs`. A long job does one step per run, as `PruneJob` does.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from bloop import features
from bloop.accounts import expiry as sweep
from bloop.base import clock
from bloop.base.config import Settings
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.db.statistics import refresh
from bloop.issues.events.index import make_block, next_range
from bloop.issues.events.train_dictionary import train_if_due
from bloop.issues.status.follow import SWEPT_MAX, end_due_mutes
from bloop.processes.read import RETENTION
from bloop.projects.old_keys.store import forget_ended
from bloop.retention import disk, samples
from bloop.retention import store as retention
from bloop.retention.cleaner import Cleaner
from bloop.retention.read import get_run, open_run
from bloop.retention.sizes import count_rows, newest_event_id
from bloop.retention.statistics import stale_statistics
from workers import process
from workers.background import BackgroundProcess, Job, Stopping
from workers.backups import BackupJob

LOOK_EVERY_S = 1.0  # whether a purge was requested
LOW_DISK_EVERY_S = 60.0
MEASURE_EVERY_S = 3600.0
MUTES_EVERY_S = 30.0
SWEEP_EVERY_S = 3600.0
STATISTICS_EVERY_S = 86_400.0
STATISTICS_REST_S = 0.1
DICTIONARY_EVERY_S, DICTIONARY_FIRST_S = 86_400.0, 3600.0
INDEX_EVERY_S = 3.0
INDEX_REST_S = 0.05  # between two blocks, which take 15 ms each: the writer and other jobs come first

log = logging.getLogger("bloop.retention")


def make_jobs(settings: Settings, db: Db, stopping: Stopping) -> Sequence[Job]:
    """Every job of this process, in the order in which due jobs run."""

    def measure_job() -> float:
        measure(settings, db)
        return MEASURE_EVERY_S

    def mutes_job() -> float:
        with connection.immediate(db):
            ended = end_due_mutes(db, clock.now_ms())
        return MUTES_EVERY_S if ended < SWEPT_MAX else 0.0

    def sweep_job() -> float:
        with connection.immediate(db):
            sweep.sweep(db, clock.now_ms())
            forget_ended(db, clock.now_ms())
        return SWEEP_EVERY_S

    backups = BackupJob(settings, db)
    stale: list[str] = []

    def statistics_job() -> float:
        stale.extend([] if stale else stale_statistics(db))
        if stale:
            refresh(db, stale.pop())
        return STATISTICS_REST_S if stale else STATISTICS_EVERY_S

    started_at = time.monotonic()

    def dictionary_job() -> float:
        rest_s = started_at + DICTIONARY_FIRST_S - time.monotonic()
        if rest_s > 0:  # not at the start, where a process that is restarted again and again would do nothing else
            return rest_s
        train_if_due(db, clock.now_ms())
        return DICTIONARY_EVERY_S

    return [
        Job("prune", PruneJob(settings, db).run),
        Job("mutes", mutes_job),
        Job("measure", measure_job),
        Job("sweep", sweep_job),
        Job("backup", backups.run, backups.troubles, backups.finish),
        Job("statistics", statistics_job),
        Job("dictionary", dictionary_job),
        Job("index", IndexJob(settings, db).run),
    ]


class IndexJob:
    """Makes one block of the event index per run. It needs disk space, so it waits while that is low."""

    def __init__(self, settings: Settings, db: Db) -> None:
        self._settings, self._db = settings, db

    def run(self) -> float:
        ids = next_range(self._db, clock.now_ms())
        if ids is None or disk.is_low(self._settings.database_path, self._settings.database.disk_free_bytes_min):
            return INDEX_EVERY_S
        with contextlib.closing(connection.open_cleaner(self._settings.database_path)) as db:
            is_made = make_block(db, ids, clock.now_ms())
        return INDEX_REST_S if is_made else INDEX_EVERY_S


class PruneJob:
    """Works on the open clean-up, one step per run: other jobs run in between, and a stop waits for one step only."""

    def __init__(self, settings: Settings, db: Db, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._db, self._monotonic = settings, db, monotonic
        self._work: Iterator[float] | None = None
        self._due_at = self._low_disk_at = monotonic()

    def run(self) -> float:
        if self._work is None:
            if not self._is_due():
                return LOOK_EVERY_S
            self._work = self._clean_up()
        try:
            return next(self._work)
        except StopIteration:
            self._work = None
            return LOOK_EVERY_S
        except Exception as error:
            self._work = None  # the next run continues where this one stopped
            self._record(error)
            raise

    def _record(self, error: Exception) -> None:
        """Record the error for clients that wait for this run. Continue when it cannot be recorded."""
        with contextlib.suppress(db_errors.Error):
            run = open_run(self._db)
            if run is not None:
                with connection.immediate(self._db):
                    retention.set_error(self._db, run.id, f"{type(error).__name__}: {error}")

    def _is_due(self) -> bool:
        """Whether a purge was requested or interrupted, issues were deleted, it is time, or the disk is low."""
        now_s = self._monotonic()
        if open_run(self._db) is not None or now_s >= self._due_at or self._is_anything_waiting():
            return True
        return now_s >= self._low_disk_at and self._disk_is_low()

    def _is_anything_waiting(self) -> bool:
        return any(clean_up.is_waiting(self._db) for clean_up in features.clean_ups())

    def _clean_up(self) -> Iterator[float]:
        """One clean-up, on a connection that is open only for it."""
        with contextlib.closing(connection.open_cleaner(self._settings.database_path)) as db:
            with connection.immediate(db):
                run_id = retention.ask_for_run(db, asked_by=None, now_ms=clock.now_ms()).id
            cleaner = Cleaner(
                db,
                run_id,
                defaults=self._settings.retention,
                samples=self._settings.pipeline.sample_reservoir_size,
                now_ms=clock.now_ms,
                disk_is_low=self._disk_is_low,
                measure=lambda: measure(self._settings, self._db),
            )
            yield from cleaner.work()
            self._due_at = self._monotonic() + self._settings.retention.prune_interval_secs
            self._low_disk_at = self._monotonic() + LOW_DISK_EVERY_S
            self._log_done(run_id, cleaner.held_s_max)

    def _disk_is_low(self) -> bool:
        return disk.is_low(self._settings.database_path, self._settings.database.disk_free_bytes_min)

    def _log_done(self, run_id: int, held_s_max: float) -> None:
        run = get_run(self._db, run_id)
        if run is None or not (
            run.raw_events_deleted or run.hourly_counts_deleted or run.others_deleted or run.issues_deleted
        ):
            return
        message = (
            "deleted %d issues, %d events, %d hourly counts, %d other rows; %d bytes freed; lock held %.0f ms at most"
        )
        counts = (
            run.issues_deleted,
            run.raw_events_deleted,
            run.hourly_counts_deleted,
            run.others_deleted,
            run.bytes_freed,
        )
        log.info(message, *counts, held_s_max * 1000, extra={"action": "pruned"})


def measure(settings: Settings, db: Db) -> None:
    """Record the size of everything. Counting only reads and may take long; only saving takes the write lock."""
    sizes = disk.sizes(db, settings.database_path)
    event_id, row_counts = newest_event_id(db), count_rows(db)
    with connection.immediate(db):
        samples.save_sample(db, sizes._asdict(), event_id=event_id, row_counts=row_counts, now_ms=clock.now_ms())


def run(settings: Settings) -> int:
    """Run the retention process until SIGTERM. Returns the exit code."""
    return BackgroundProcess(RETENTION, settings).run(lambda db, stopping: make_jobs(settings, db, stopping))


if __name__ == "__main__":
    sys.exit(process.run("retention", run))
