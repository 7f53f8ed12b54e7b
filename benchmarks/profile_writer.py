"""The store alone, without ring or processes: events per second, µs per event by step, bytes of WAL and of the file.

Records are encoded before the clock starts; counters are settled as the writer settles them under load. For comparison
the same events go into a plain table of twenty columns, without keys or indexes, with one prepared INSERT and the same
pragmas and batches: SQLite's own cost of storing them uncompressed.
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from benchmarks.stopwatch import Steps
from bloop.base.clock import now_ms
from bloop.base.config import NO_LIMITS
from bloop.base.json_body import decode_json
from bloop.bench.corpus import Corpus
from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.grouping.fingerprint_v1 import ALGORITHM, compute
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.issues import store as issues
from bloop.issues.counts import fold
from bloop.issues.counts import store as counters
from bloop.issues.events import store as events
from bloop.issues.kind import EventStore
from bloop.pipeline import dead_letters, ring_state, signals
from bloop.pipeline.store import RingRecord, Store
from bloop.records.dictionary import shipped
from bloop.records.event_record import EventRecord, decode
from bloop.records.record import EVENT_FORM, encode_event
from workers.writer import SETTLE_EVENTS_MAX, SETTLE_EVERY_S

PROJECT_ID = 1
LANES = 2
CHECKPOINT_WAL_PAGES = 16_384  # as workers/writer.py
PAGE_BYTES = 4096
PAIRS = 5  # of runs in turn: the best of each is printed, and the median of their ratios
WARM_UP = 10_000  # events stored before the clock starts: the issues exist, as in a server that has run for an hour

_INSERT_PROJECT = """
INSERT INTO projects (id, public_id, slug, name, api_key, short_prefix, created_at_ms)
VALUES (?, 'bench', 'bench', 'bench', 'bench', 'BENCH', ?) ON CONFLICT DO NOTHING
"""
_BARE_TABLE = """
CREATE TABLE bare (
    id INTEGER PRIMARY KEY, issue_id INTEGER, project_id INTEGER, timestamp_ms INTEGER, received_at_ms INTEGER,
    source TEXT, environment TEXT, release TEXT, level TEXT, error_type TEXT, message TEXT, stack TEXT, route TEXT,
    screen TEXT, http_status INTEGER, request_id TEXT, user_id_hash TEXT, device_id_hash TEXT, app_version TEXT,
    build_number TEXT, metadata TEXT
)
"""
_BARE_INSERT = f"INSERT INTO bare VALUES (NULL, {', '.join('?' * 20)})"
_PAGES = "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"


@dataclass
class StoreRun:
    """The cost of one pass over the records."""

    batch: int
    events: int
    wall_s: float
    cpu_s: float
    wal_bytes: int = 0
    file_bytes: int = 0  # what the database grew by
    steps: dict[str, float] = field(default_factory=dict)  # seconds

    @property
    def per_s(self) -> float:
        return self.events / self.wall_s

    def us(self, seconds: float) -> float:
        """Seconds of the whole run as µs per event."""
        return seconds / self.events * 1e6


def encoded_records(count: int, corpus: Corpus | None = None, start: int = 0) -> list[RingRecord]:
    """Records as the writer reads them from the ring, encoded by the code of the ingest path."""
    corpus = corpus or Corpus(timestamp_ms=now_ms() - 3_600_000)
    limits, at_ms = Limits(), now_ms()
    records: list[RingRecord] = []
    for n in range(start, start + count):
        event, _ = parse_event(decode_json(corpus.body(n)), limits, at_ms)
        fingerprint = compute(event.source, event.error_type, event.route, event.message, event.stack)
        payload = encode_event(PROJECT_ID, at_ms, fingerprint, ALGORITHM, event)
        records.append((EVENT_FORM, payload, n % LANES))
    return records


@contextmanager
def fresh_database() -> Iterator[tuple[apsw.Connection, Path]]:
    """A migrated database with one project, on disk, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="bloop-bench-") as folder:
        path = Path(folder) / "bench.db"
        migrate.migrate(path, now_ms())
        with closing(connection.open_writer(path)) as db:
            db.execute(_INSERT_PROJECT, (PROJECT_ID, now_ms()))
            yield db, path


class WalMeter:
    """Counts the bytes committed to the WAL and checkpoints it as the writer does."""

    def __init__(self, db: apsw.Connection) -> None:
        self.bytes = 0
        self._pages = 0
        self._db = db
        db.set_wal_hook(self._on_commit)

    def _on_commit(self, _db: apsw.Connection, _schema: str, pages: int) -> int:
        grown = pages - self._pages
        self.bytes += (grown if grown > 0 else pages) * PAGE_BYTES
        self._pages = pages
        return apsw.SQLITE_OK

    def checkpoint_if_due(self) -> None:
        if self._pages > CHECKPOINT_WAL_PAGES:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._pages = 0


def run_store(records: list[RingRecord], batch: int, *, by_step: bool) -> StoreRun:
    """Store every record in batches of `batch`; with `by_step` the run is slower by the cost of the stopwatch."""
    with fresh_database() as (db, _):
        subject = Store(db, 1, make_kinds(db, NO_LIMITS))
        meter = WalMeter(db)
        warm = min(WARM_UP, len(records) // 4)
        _store_all(subject, records[:warm], batch, meter)
        meter.bytes = 0
        before = _file_bytes(db)
        steps = Steps()
        if not by_step:
            wall_s, cpu_s = _timed(lambda: _store_all(subject, records[warm:], batch, meter))
        else:
            with steps.measuring(*_STEPS):
                wall_s, cpu_s = _timed(lambda: _store_all(subject, records[warm:], batch, meter, steps))
        grown = _file_bytes(db) - before
        run = StoreRun(batch, len(records) - warm, wall_s, cpu_s, meter.bytes, grown, dict(steps.seconds))
        stored = db.execute("SELECT count(*) FROM events").get
        assert stored == len(records), f"{stored} rows of {len(records)} records"
        return run


# Own time of each, so a caller's line holds only what its callees' lines do not.
_STEPS = (
    (Store, "store", "transaction: begin, commit, fsync"),
    (Store, "_sort", "sort by project"),
    (EventStore, "decode", "head read"),
    (fold, "add_up", "add up"),
    (EventStore, "insert", "fingerprints looked up"),
    (EventStore, "settle", "settle"),
    (events, "add_keys", "keys by fingerprint"),
    (issues, "locate", "issues: find or make"),
    (issues, "count", "issues: count, users"),
    (issues, "_create", "issues: create"),
    (events, "append", "event rows, inserted"),
    (counters, "add", "aggregates, hours, project counters"),
    (signals, "append", "signals"),
    (Store, "_settle_ledger", "ledger and cells"),
    (dead_letters, "add", "dead letters"),
    (ring_state, "save_positions", "ring positions"),
)


def _store_all(
    subject: Store, records: list[RingRecord], batch: int, meter: WalMeter, steps: Steps | None = None
) -> None:
    position, settled_at = 0, time.monotonic()
    for start in range(0, len(records), batch):
        part = records[start : start + batch]
        position += sum(len(payload) for _, payload, _ in part)
        settle = subject.unsettled >= SETTLE_EVENTS_MAX or time.monotonic() - settled_at >= SETTLE_EVERY_S
        done = subject.store(part, dict.fromkeys(range(LANES), position), (), now_ms=now_ms(), settle=settle)
        assert done.events == len(part), done
        if settle:
            settled_at = time.monotonic()
        if steps is None:
            meter.checkpoint_if_due()
        else:
            with steps.step("checkpoint"):
                meter.checkpoint_if_due()
    subject.store((), {}, (), now_ms=now_ms())


def run_bare(records: list[RingRecord], batch: int) -> StoreRun:
    """The same event rows into a plain table without keys or indexes."""
    rows = [_bare_row(decode(payload, lambda _: shipped())) for _, payload, _ in records]
    with fresh_database() as (db, _):
        db.execute(_BARE_TABLE)
        meter = WalMeter(db)

        def insert_all() -> None:
            for start in range(0, len(rows), batch):
                with db:
                    db.executemany(_BARE_INSERT, rows[start : start + batch])
                meter.checkpoint_if_due()

        before = _file_bytes(db)
        wall_s, cpu_s = _timed(insert_all)
        return StoreRun(batch, len(rows), wall_s, cpu_s, meter.bytes, _file_bytes(db) - before)


def _bare_row(record: EventRecord) -> tuple[object, ...]:
    e = record.event
    return (
        *(1, record.project_id, e.timestamp_ms, record.received_at_ms, e.source, e.environment, e.release, e.level),
        *(e.error_type, e.message, e.stack, e.route, e.screen, e.http_status, e.request_id, e.user_id_hash),
        *(e.device_id_hash, e.app_version, e.build_number, e.metadata),
    )


def _file_bytes(db: apsw.Connection) -> int:
    """Of the pages in use."""
    pages = db.execute(_PAGES).get
    assert isinstance(pages, int)
    return pages * PAGE_BYTES


def sent_bytes(count: int, corpus: Corpus) -> float:
    """What clients sent for an event, without the request around it."""
    return sum(len(corpus.body(n)) for n in range(count)) / count


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def report(count: int, batches: tuple[int, ...], *, deep: bool) -> None:
    """Print everything; `deep` adds cProfile's view of one run."""
    started = time.perf_counter()
    corpus = Corpus(timestamp_ms=now_ms() - 3_600_000)
    records, sent = encoded_records(count, corpus), sent_bytes(count, corpus)
    payload_bytes = sum(len(payload) for _, payload, _ in records)
    took = time.perf_counter() - started
    print(
        f"{count} records, {payload_bytes / count:.0f} B each of {sent:.0f} B sent, made in {took:.1f} s"
        f" ({took / count * 1e6:.1f} µs each)"
    )
    columns = f"{'events/s':>10}{'µs wall':>10}{'µs cpu':>9}{'WAL B':>8}{'file B':>8}{'WAL':>7}{'file':>6}"
    print(f"\n{'':28}{columns} of what was sent   cpu of bare")
    for batch in batches:
        pairs = [(run_bare(records, batch), run_store(records, batch, by_step=False)) for _ in range(PAIRS)]
        cpu_of_bare = statistics.median(full.us(full.cpu_s) / bare.us(bare.cpu_s) for bare, full in pairs)
        bare, full = (min(runs, key=lambda run: run.cpu_s) for runs in zip(*pairs, strict=True))
        for name, run, ratio in (("bare INSERT", bare, 1.0), ("Store.store", full, cpu_of_bare)):
            per_event = f"{run.us(run.wall_s):10.1f}{run.us(run.cpu_s):9.1f}{run.wal_bytes / run.events:8.0f}"
            per_event += f"{run.file_bytes / run.events:8.0f}"
            of_sent = f"{run.wal_bytes / run.events / sent:7.2f}{run.file_bytes / run.events / sent:6.2f}"
            label = f"{name}, batches of {batch}"
            print(f"{label:28}{run.per_s:10.0f}{per_event}{of_sent}{ratio:31.2f}")
    steps = run_store(records, batches[-1], by_step=True)
    print(f"\nby step, batches of {steps.batch}, µs wall per event (own time; the stopwatch itself is in it)")
    for label, seconds in sorted(steps.steps.items(), key=lambda item: -item[1]):
        print(f"  {label:32}{steps.us(seconds):8.2f}")
    if deep:
        profiler = cProfile.Profile()
        profiler.runcall(run_store, records, batches[-1], by_step=False)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
