"""The writer: the only process that stores event data. `python -m workers.writer [--config PATH]`

WRITER-1  It creates the ring if there is none and holds its consumer lock, so a second writer refuses to start.
WRITER-2  Records leave the ring and its spill only after the transaction that stored them committed (STORE-1).
WRITER-3  Trouble with the database (full, locked, read-only) never ends the process: the batch stays in the ring, the
    state word says why, and storing continues by itself when the trouble is over.
WRITER-4  SIGTERM drains what is in the ring and then stops. It is stopped after the producers, so that is everything,
    unless so much has spilled that it takes longer than DRAIN_AT_STOP_S: the next start continues with that.
WRITER-5  A database that is damaged where the start reads it ends the process for good, with one line and
    EXIT_CANNOT_START: another start would fail too. Damage met later is trouble as in WRITER-3, and `/health` names it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time

from bloop import features
from bloop.base import clock, config, meters
from bloop.base.memory import Leftovers
from bloop.base.pid_file import claimed
from bloop.db import connection, migrate
from bloop.db import errors as db_errors
from bloop.db.checkpoint import checkpoint, empty_log, on_commit
from bloop.db.engine import Db
from bloop.db.errors import DAMAGE_ERRORS, OPERATIONAL_ERRORS
from bloop.pipeline import dictionaries
from bloop.pipeline.day_bytes import Spending
from bloop.pipeline.store import BatchResult
from bloop.projects import store as projects
from bloop.retention import disk
from bloop.ring import WriterState
from workers import process, rings
from workers.process import EXIT_FAILED, EXIT_OK, StopFlag
from workers.rings import WriterRing

log = logging.getLogger("bloop.writer")

BATCH_RECORDS_MAX = 1000
BATCH_BYTES_MAX = 4 * 1024 * 1024
GATHER_STEP_S = 0.005
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 2.0
CHECKPOINT_WAL_PAGES = 16_384  # 64 MiB: a page rewritten ten times in the WAL costs one write to the database
DEAD_LANES_EVERY_S = 5.0
DRAIN_AT_STOP_S = 40.0  # below what the supervisor and the unit allow
SETTLE_EVERY_S = 1.0  # at most this long do counters and pages follow the events under load,
SETTLE_EVENTS_MAX = 20_000  # or by as many, which is 0.1 s of work: lanes must have room for what comes in meanwhile
SETTLE_AT_ONCE_RECORDS_MAX = 400  # smaller batches are counted with their events
SETTLE_WITHIN_S = 0.05  # of the last record of a burst


class Writer:
    """One drain loop. `run` returns after `stop` is set and the ring is empty, or as empty as the database allows.

    It returns whether the accounts are settled as well: the caller needs it before removing the ring.
    """

    def __init__(self, settings: config.Settings, db: Db, ring: WriterRing) -> None:
        self._settings = settings
        self._db = db
        self._ring = ring
        self._segment, self._consumer, self._store = ring
        self._state = WriterState.RUNNING
        self._backoff_s = 0.0
        self._dead_lanes_at = float("-inf")
        self._has_open_accounts = True  # of rings that are gone, maybe
        self._committed_at = float("-inf")
        self._is_behind = False  # the last batch left records behind: there is nothing to wait for
        self._settled_at = float("-inf")
        self._leftovers = Leftovers()
        self._wal_pages = 0
        self._wal_pages_max = CHECKPOINT_WAL_PAGES
        self._spending = Spending(settings.limits.bytes_per_day)
        on_commit(db, self._note_wal_pages)

    def run(self, stop: StopFlag) -> bool:
        pipeline = self._settings.pipeline
        while not stop.is_set():
            self._consumer.heartbeat(clock.now_ms(), self._state)
            process.unit.alive()
            self._leftovers.give_back()
            if not self._consumer.pending():
                if not self._store.unsettled:
                    self._run_upkeep(idle=True)
                self._consumer.wait(SETTLE_WITHIN_S if self._store.unsettled else pipeline.flush_interval_secs)
            if self._consumer.pending() and not self._is_behind:
                self._gather(stop)
            stored = self.drain_once()
            if stored is None:
                stop.wait(self._backoff_s)
            elif not stored and self._consumer.pending():  # a record that is not there yet
                time.sleep(GATHER_STEP_S)
        return self._drain_at_stop()

    def drain_once(self) -> int | None:
        """Store one batch; return how many records it held, None when the database would not take it."""
        if self._disk_is_full():  # DISK-1
            minimum = self._settings.database.disk_free_bytes_min
            self._enter_trouble(WriterState.DISK_FULL, f"less than {minimum} bytes free")
            return None
        batch = self._consumer.read(BATCH_RECORDS_MAX, BATCH_BYTES_MAX)
        if batch.torn:
            log.warning("skipped %d torn records", batch.torn, extra={"action": "torn_records"})
        started_ns = time.perf_counter_ns()
        try:
            cells, settle = self._consumer.cells(), self._is_time_to_settle(len(batch.records))
            done = self._store.store(batch.records, batch.positions, cells, now_ms=clock.now_ms(), settle=settle)
        except OPERATIONAL_ERRORS as error:
            self._enter_trouble(_state_for(error), f"{type(error).__name__}: {error}")
            return None
        self._consumer.release(batch)
        if self._spending.is_news(done.day_totals):
            self._segment.bump_generation()  # ingest workers look again whose day is spent
        if batch.records:
            self._measure(done, time.perf_counter_ns() - started_ns)
        self._is_behind = batch.full
        self._committed_at = time.monotonic()
        if settle:
            self._settled_at = self._committed_at
        self._leave_trouble()
        if done.dead:
            log.warning("%d records could not be stored, see dead_letters", done.dead, extra={"action": "dead_letters"})
        self._run_upkeep(idle=False)
        return len(batch.records)

    def _measure(self, done: BatchResult, took_ns: int) -> None:
        now_ms = clock.now_ms()
        waited = meters.VISIBLE.added((now_ms - at_ms, count) for at_ms, count in done.received.items())
        self._consumer.add_meters(meters.merged(meters.FLUSH.added([(took_ns, 1)]), waited))

    def _is_time_to_settle(self, records: int) -> bool:
        """Often enough for readers of counters, seldom enough for events to share the rows that count them."""
        if records <= SETTLE_AT_ONCE_RECORDS_MAX:
            return True
        is_late = time.monotonic() - self._settled_at >= SETTLE_EVERY_S
        return is_late or self._store.unsettled >= SETTLE_EVENTS_MAX

    def _gather(self, stop: StopFlag) -> None:
        """Let a batch build up: a commit writes most of the same pages for ten records as for a thousand.

        Ends `gather_ms` after the last commit at the earliest, so a steady stream is committed ten times a second; a
        lane that is half full ends it at once. After a quiet time `flush_batch_size` records are enough.
        """
        gather_s = self._settings.pipeline.gather_ms / 1000
        started = time.monotonic()
        while not stop.is_set() and self._consumer.fullest() < 0.5:
            now = time.monotonic()
            enough = self._consumer.pending() >= self._settings.pipeline.flush_batch_size
            ready_at = self._committed_at + gather_s if enough else started + gather_s
            if now >= ready_at:
                return
            time.sleep(min(ready_at - now, GATHER_STEP_S))

    def _drain_at_stop(self) -> bool:
        """Drain waiting records, as far as the time allows: neither live producers nor a full disk must hold us here.

        What has spilled may take longer than that. It stays, and so does the ring that knows of it.
        """
        process.unit.stopping()
        left, until = self._consumer.pending(), time.monotonic() + DRAIN_AT_STOP_S
        while left > 0 and self._consumer.pending() and time.monotonic() < until:
            stored = self.drain_once()
            if stored is None:
                break
            left -= max(stored, 1)
        is_settled = False
        with contextlib.suppress(*OPERATIONAL_ERRORS):
            self._store.store([], {}, self._consumer.cells(), now_ms=clock.now_ms())
            self._settle_dead_lanes()
            is_settled = True
            empty_log(self._db)
        self._consumer.heartbeat(clock.now_ms(), WriterState.STOPPED)
        return is_settled

    def _run_upkeep(self, *, idle: bool) -> None:
        """Run checkpoints, and close the accounts of producers that died."""
        with contextlib.suppress(*OPERATIONAL_ERRORS):
            if self._wal_pages > (0 if idle else self._wal_pages_max):
                checkpoint(self._db)
                self._wal_pages = 0  # if a reader held it back, the next commit says how much is still there
            if self._consumer.finished_orphans():
                self._has_open_accounts = True
            if self._has_open_accounts:
                rings.close_accounts(self._db, self._ring)
                self._has_open_accounts = False
            if idle and time.monotonic() > self._dead_lanes_at:
                self._dead_lanes_at = time.monotonic() + DEAD_LANES_EVERY_S
                self._consumer.tidy()
                self._settle_dead_lanes()
                connection.release_memory(self._db)

    def _settle_dead_lanes(self) -> None:
        dead = [lane.index for lane in self._segment.stat().lanes if not lane.claimed and not lane.waiting_bytes]
        lost = self._store.settle_dead_lanes(dead, clock.now_ms())
        if lost:
            log.warning(
                "%d records were interrupted by the death of their worker", lost, extra={"action": "interrupted"}
            )

    def _note_wal_pages(self, pages: int) -> None:
        self._wal_pages = pages

    def _disk_is_full(self) -> bool:
        free, minimum = disk.free_bytes(self._settings.database_path), self._settings.database.disk_free_bytes_min
        self._wal_pages_max = disk.wal_pages_max(free, minimum, usually=CHECKPOINT_WAL_PAGES)
        return disk.is_full(free, minimum, was_full=self._state is WriterState.DISK_FULL)

    def _enter_trouble(self, state: WriterState, why: str) -> None:
        if state is not self._state:
            log.error("not storing, records wait in the ring: %s", why, extra={"action": "storing_stopped"})
            process.unit.status(f"not storing, records wait in the ring: {why}")
        self._state = state
        self._backoff_s = min(max(self._backoff_s * 2, BACKOFF_FIRST_S), BACKOFF_MAX_S)
        self._consumer.heartbeat(clock.now_ms(), state)

    def _leave_trouble(self) -> None:
        if self._state is not WriterState.RUNNING:
            log.info("storing again", extra={"action": "storing_resumed"})
            process.unit.status("storing")
        self._state = WriterState.RUNNING
        self._backoff_s = 0.0
        self._consumer.heartbeat(clock.now_ms(), WriterState.RUNNING)


def _state_for(error: Exception) -> WriterState:
    """What `/health` is to say while the database refuses a batch with this error."""
    if isinstance(error, db_errors.FullError):
        return WriterState.DISK_FULL
    return WriterState.DAMAGED if isinstance(error, DAMAGE_ERRORS) else WriterState.BUSY


def main(settings: config.Settings, stop: StopFlag) -> int:
    """Open everything, drain until told to stop, close everything. EXIT_FAILED when counts are left in the ring.

    Raises:
        BloopError: something this process cannot start without; `process.guard` turns it into the exit code.
    """
    path = settings.database_path
    with contextlib.ExitStack() as cleanup:
        with connection.damage_named(path):  # WRITER-5
            migrate.migrate(path, clock.now_ms())
            db = connection.open_writer(path, cache_kib=settings.tuning.writer_cache_kib)
            cleanup.callback(db.close)
            dictionaries.ensure_shipped(db, clock.now_ms())  # before anybody packs with it
            projects.ensure_default_project(db, settings.auth.hmac_secret, clock.now_ms())
            ring = rings.open_ring(settings, db, features.make_kinds, cleanup)
        log.info("ready, %d records waiting", ring.consumer.pending(), extra={"action": "ready"})
        process.unit.ready("storing")
        is_settled = Writer(settings, db, ring).run(stop)
        log.info("stopped, %d records waiting", ring.consumer.pending(), extra={"action": "stopped"})
        return EXIT_OK if is_settled else EXIT_FAILED


def run(settings: config.Settings) -> int:
    """Be the writer until SIGTERM or SIGINT. Returns the exit code."""
    stop = StopFlag()
    stop.install()  # first: a stop during a slow start counts as well
    return main(settings, stop)


def run_alone(settings: config.Settings) -> int:
    """Be the writer without a supervisor, and in its place keep a second bloop off this data."""
    with claimed(settings.run_dir):
        return run(settings)


if __name__ == "__main__":
    sys.exit(process.run("writer", run_alone))
