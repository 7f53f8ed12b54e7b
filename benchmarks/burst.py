"""A burst at twice the writer's speed: how much is accepted, where it waits, and how long until all is stored.

The writer's speed is measured first, under the same kind of load. Then twice as much is offered, open loop. If an
accepted event is missing or stored twice, or the ledger does not balance, the scenario fails.
"""

from __future__ import annotations

import contextlib
import time

from benchmarks.bench import Bench, target
from bloop.bench.background import BackgroundLoad
from bloop.bench.instance import BenchInstance
from bloop.bench.load import run_load
from bloop.bench.measure import CountError, Measurement, measure
from bloop.bench.percentiles import summary_ms
from bloop.bench.rows import await_rows, ledger, max_id, reading
from bloop.bench.schedule import Load
from bloop.ring import Segment

BATCH = 50
OVERLOAD = 2.0  # times the writer's speed
PROBE_BATCHES_PER_S = 1_000  # rendered for the probe: more than the writer can store
DRAIN_TIMES = 4.0  # the burst's length: time for the writer to catch up
DRAIN_S_MIN = 60.0
LEDGER_WITHIN_S = 10.0
LOOK_S = 0.1
MIB = 1024 * 1024


class SpillWatch(BackgroundLoad):
    """Looks at the ring ten times a second, and once more at the end."""

    def __init__(self, instance: BenchInstance) -> None:
        super().__init__()
        self.spilled = 0  # records since the ring was made
        self.bytes_max = 0
        self.records_max = 0  # waiting at once, in the ring and on the disk
        self._instance = instance

    def _run(self) -> None:
        with contextlib.closing(Segment.attach(self._instance.settings.ring_name)) as ring:
            is_last = False
            while not is_last:
                is_last = self._over.wait(LOOK_S)
                stat = ring.stat()
                self.spilled = sum(lane.spilled for lane in stat.lanes)
                self.bytes_max = max(self.bytes_max, stat.spill_bytes)
                self.records_max = max(self.records_max, stat.pending_records)


def run(bench: Bench) -> None:
    """Measure a burst and how long the writer needs to catch up."""
    with BenchInstance(bench.folder) as instance:
        bench.say("warming up")
        measure(instance, Load(target(instance), "warm", requests=80, batch=BATCH, rate=40))
        speed = _measure_writer_speed(bench, instance)
        seconds, rate = bench.scale.burst_s, OVERLOAD * speed / BATCH
        bench.say(f"{rate * BATCH:,.0f} events/s for {seconds:.0f} s, after rendering them")
        load = Load(target(instance), "burst", requests=int(rate * seconds), batch=BATCH, rate=rate)
        with SpillWatch(instance) as watch:
            measured = measure(instance, load, drain_within_s=max(DRAIN_S_MIN, DRAIN_TIMES * seconds))
            balance = _await_balance(instance)
    _report(bench, speed, measured, watch, balance)


def _measure_writer_speed(bench: Bench, instance: BenchInstance) -> float:
    """Events stored per second while more than that come in; events stored after the load do not count."""
    seconds = bench.scale.probe_s
    bench.say(f"closed loop for {seconds:.0f} s")
    requests = int(PROBE_BATCHES_PER_S * seconds)
    load = Load(target(instance), "probe", requests=requests, batch=BATCH, duration_s=seconds)
    with reading(instance.database) as db:
        after_id = max_id(db)
        result = run_load(load)
        stored = max_id(db) - after_id
        await_rows(db, after_id, result.accepted, DRAIN_S_MIN)
    return stored / result.seconds


def _await_balance(instance: BenchInstance) -> dict[str, int]:
    """Wait until received equals all other outcomes; drops are counted a moment after the last record is stored."""
    deadline = time.monotonic() + LEDGER_WITHIN_S
    with reading(instance.database) as db:
        while True:
            counts = ledger(db)
            if counts["received"] == sum(count for outcome, count in counts.items() if outcome != "received"):
                return counts
            if time.monotonic() > deadline:
                raise CountError(f"the ledger does not balance: {counts}")
            time.sleep(LOOK_S)


def _report(bench: Bench, speed: float, burst: Measurement, watch: SpillWatch, balance: dict[str, int]) -> None:
    result = burst.result
    bench.report.add("burst.writer_per_s", speed, "events/s", "stored while more came in than that, batches of 50")
    bench.report.add(
        "burst.offered_per_s",
        result.sent_events / result.seconds,
        "events/s",
        f"for {result.seconds:.0f} s; {result.accepted} accepted and stored once each, {result.dropped} dropped",
        accepted=result.accepted,
        dropped=result.dropped,
        ledger=balance,
    )
    bench.report.add(
        "burst.spilled",
        watch.spilled,
        "events",
        f"at most {watch.bytes_max / MIB:,.0f} MiB of them on the disk, {watch.records_max} events waiting in all",
        bytes_max=watch.bytes_max,
    )
    bench.report.add("burst.drained_in", burst.drain_s, "s", "after the last answer until every event was readable")
    latency = summary_ms(result.latency_s)
    bench.report.add(
        "burst.answer_p99",
        latency["p99"],
        "ms",
        "open loop, from when each batch was due",
        latency_ms=latency,
        cpu_s=burst.cpu_s,
    )
