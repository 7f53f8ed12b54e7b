"""Deletes a million events while others arrive: the effect on storing, and the disk space that is freed.

The retention of a database with events of two weeks is set to one day, under a steady load. Counters of the old issues
are compared before and after: if one changed, the scenario fails.
"""

from __future__ import annotations

import re
import time
from contextlib import closing
from pathlib import Path

import apsw

from benchmarks import dataset
from benchmarks.bench import Bench, target
from bloop.base.clock import DAY_MS, now_ms
from bloop.bench.instance import BenchInstance
from bloop.bench.measure import CountError, measure
from bloop.bench.percentiles import summary_ms
from bloop.bench.rows import POLL_S, VisibilityWatch, reading
from bloop.bench.schedule import Load
from bloop.db import connection
from bloop.retention import store as storage
from bloop.retention.read import RetentionRunRow, get_run

RATE = 2000  # events a second
SPAN_MS = 14 * DAY_MS
KEEP_DAYS = 1
EVENTS_PER_ISSUE = 100  # retention keeps five of them
EXTRA = 1.15  # kept events come on top: those of the last day, and a few per issue
SECONDS_TIMES = 3.0  # of a latency run: long enough for the purge
AFTERWARDS_S = 120.0
MIB = 1024 * 1024

_COUNTERS = """
SELECT count(*), sum(event_count), sum(user_count), sum(event_count * id), sum(user_count * id), max(last_seen_ms)
  FROM issues WHERE id <= :issue_id
"""
_AGGREGATES = "SELECT count(*), sum(event_count), sum(event_count * id) FROM aggregates WHERE issue_id <= :issue_id"


def run(bench: Bench) -> None:
    """Measure latencies before and during a purge, and the purge itself."""
    folder = bench.folder / "retention"
    folder.mkdir()
    events = int(bench.scale.dataset_events * EXTRA)
    bench.say(f"building {events:,} events")
    dataset.build(folder / "bloop.db", events, events // EVENTS_PER_ISSUE, span_ms=SPAN_MS)
    with closing(connection.open_control(folder / "bloop.db")) as db:
        storage.save_policy(db, raw_events_days=3650)
        newest = int(str(db.execute("SELECT max(id) FROM issues").get))
        counters = _counters(db, newest)
    with BenchInstance(folder) as instance:
        measure(instance, Load(target(instance), "warm", requests=2 * RATE, rate=RATE))
        _under_load(bench, instance, "before", None)
        before_bytes = instance.database.stat().st_size
        run_id = _request_purge(instance.database)
        _under_load(bench, instance, "during", run_id)
        done = _await_end(instance.database, run_id)
        with reading(instance.database) as db:
            if _counters(db, newest) != counters:
                raise CountError("counters changed while events were deleted")
        held_ms = _held_ms(instance.log)
    after_bytes = (folder / "bloop.db").stat().st_size
    assert done.finished_at_ms is not None
    assert done.started_at_ms is not None
    seconds = (done.finished_at_ms - done.started_at_ms) / 1000
    _report(bench, done, seconds, held_ms, before_bytes, after_bytes)


def _under_load(bench: Bench, instance: BenchInstance, phase: str, run_id: int | None) -> None:
    """Latencies of RATE events a second; while a purge runs, of those that were answered meanwhile."""
    name = f"ret-{phase}"
    bench.say(f"{RATE:,} events/s {phase} the purge")
    load = Load(target(instance), name, requests=int(RATE * bench.scale.latency_s * SECONDS_TIMES), rate=RATE)
    started, began_ms = time.monotonic(), now_ms()
    with VisibilityWatch(instance.database, name) as watch:
        measured = measure(instance, load)
    until = started + 1e9
    if run_id is not None:
        ended_ms = _read_run(instance.database, run_id).finished_at_ms
        until = started + (ended_ms - began_ms) / 1000 if ended_ms else until
    answered = [(n, at) for n, at in measured.result.answered if at <= until]
    lags = summary_ms(watch.waits_s(answered))
    waits = summary_ms(measured.result.latency_s)
    seen = f"seen by polling every {POLL_S * 1000:.0f} ms"
    bench.report.add(f"retention.visible_p50_{phase}", lags["p50"], "ms after the answer", seen, **lags)
    bench.report.add(f"retention.visible_p99_{phase}", lags["p99"], "ms after the answer", seen, **lags)
    bench.report.add(f"retention.answer_p99_{phase}", waits["p99"], "ms", "open loop, of the whole load", **waits)
    if not measured.clean:
        bench.report.warn(f"{name}: {measured.result.dropped} dropped, refused {measured.result.refused}")


def _request_purge(database: Path) -> int:
    with closing(connection.open_control(database)) as db, connection.immediate(db):
        storage.save_policy(db, raw_events_days=KEEP_DAYS)
        return storage.ask_for_run(db, asked_by="bench", now_ms=now_ms()).id


def _read_run(database: Path, run_id: int) -> RetentionRunRow:
    with reading(database) as db:
        row = get_run(db, run_id)
    assert row is not None, "the newest hundred are kept"
    return row


def _await_end(database: Path, run_id: int) -> RetentionRunRow:
    deadline = time.monotonic() + AFTERWARDS_S
    while (row := _read_run(database, run_id)).finished_at_ms is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the purge is not done: {row}")
        time.sleep(0.1)
    return row


def _counters(db: apsw.Connection, issue_id: int) -> list[object]:
    return [row for statement in (_COUNTERS, _AGGREGATES) for row in db.execute(statement, {"issue_id": issue_id})]


def _held_ms(log: Path) -> float:
    """The longest transaction in the retention process's log."""
    return max(float(ms) for ms in re.findall(r"lock held (\d+) ms", log.read_text(errors="replace")))


def _report(bench: Bench, done: RetentionRunRow, seconds: float, held_ms: float, before: int, after: int) -> None:
    deleted = done.raw_events_deleted
    add = bench.report.add
    add("retention.deleted", deleted, "events", f"with {done.others_deleted:,} other rows, in {seconds:.0f} s")
    add(
        "retention.per_second",
        deleted / seconds,
        "events/s",
        "after each transaction a rest of 10 ms at least",
        seconds=seconds,
    )
    add("retention.lock_held_max", held_ms, "ms", "5 ms of work, its commit, and waiting for a core")
    add("retention.file_before", before / MIB, "MiB", "")
    add("retention.file_after", after / MIB, "MiB", f"and {RATE:,} events/s came in meanwhile")
