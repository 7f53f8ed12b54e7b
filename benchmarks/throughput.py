"""Measures the highest rates that bloop holds, their cost in CPU and memory, and its idle use."""

from __future__ import annotations

import os
import time

from benchmarks.bench import Bench, target
from bloop.bench.background import BackgroundLoad
from bloop.bench.instance import BenchInstance, Memory, spent
from bloop.bench.measure import Measurement, measure
from bloop.bench.percentiles import summary_ms
from bloop.bench.schedule import CONNECTIONS, Load

ATTEMPTS_MAX = 5  # short runs
FULL_RUNS_MAX = 3
STEP = 1.08
FIRST_GUESS = 0.9  # of the rate that the probe's CPU times allow
BACK_OFF = 0.95  # when the full run does not hold what a short one did
STORED_SHARE = 0.97  # of the rate a failed run stored: the next try is not above it
KEPT_UP = 0.985  # of the schedule, or the rate was not held
DRAIN_S_MAX = 0.5  # work left in the ring after a short run; more means that it was filling up
CORES = os.cpu_count() or 1
REQUESTS_PER_S_MAX = 45_000  # rendered for a closed loop; more than any two cores take
BATCHES_PER_S_MAX = 1_600
MIB = 1024 * 1024


class MemoryWatch(BackgroundLoad):
    """Samples the PSS of every process once a second; keeps the moment with the largest sum."""

    def __init__(self, instance: BenchInstance) -> None:
        super().__init__()
        self.peak: dict[tuple[int, str], Memory] = {}
        self._instance = instance

    def _run(self) -> None:
        while not self._over.wait(1.0):
            sample = self._instance.memory()
            if sum(m.pss for m in sample.values()) > sum(m.pss for m in self.peak.values()):
                self.peak = sample


def run(bench: Bench) -> None:
    """Measure single events, batches, memory and idle use."""
    # A rate that spills is not held: the writer has to keep up during the load.
    with BenchInstance(bench.folder, BLOOP__INGEST__SPILL_BYTES_MAX="0") as instance:
        bench.say("warming up")
        measure(instance, Load(target(instance), "warm", requests=4000, rate=2000))
        singles, memory = _find_held_rate(bench, instance, batch=0)
        _report_held(bench, "singles", singles, "events/s", batch=1)
        _report_memory(bench, "memory.pss_under_load", memory.peak)
        batches, memory = _find_held_rate(bench, instance, batch=50)
        _report_held(bench, "batches", batches, "events/s", batch=50)
        _report_idle(bench, instance)


def _find_held_rate(bench: Bench, instance: BenchInstance, batch: int) -> tuple[Measurement, MemoryWatch]:
    """The highest rate found that is held for the full time with nothing dropped."""
    scale, name = bench.scale, "batches" if batch else "singles"
    per_request = max(batch, 1)
    bench.say(f"{name}: closed loop for {scale.probe_s:.0f} s")
    rendered = int((BATCHES_PER_S_MAX if batch else REQUESTS_PER_S_MAX) * scale.probe_s)
    probe_load = Load(target(instance), f"{name}-0", requests=rendered, batch=batch, duration_s=scale.probe_s)
    probe = measure(instance, probe_load)
    result = probe.result
    bench.report.add(
        f"{name}.answered_per_s",
        result.requests_per_s * per_request,
        "events/s",
        f"{CONNECTIONS} connections, each sending when answered; {result.dropped} of {result.sent_events} were "
        "answered `dropped` because the writer could not follow"
        if result.dropped
        else f"{CONNECTIONS} connections, each sending when answered; nothing dropped",
        dropped=result.dropped,
        latency_ms=summary_ms(result.latency_s),
        generator_us=result.generator_us,
    )
    if probe.clean:  # the writer keeps up even when clients never pause: that is the highest rate
        bench.say(f"{name}: closed loop for {scale.held_s:.0f} s")
        rendered = int(1.5 * result.requests_per_s * scale.held_s)
        load = Load(target(instance), f"{name}-c", requests=rendered, batch=batch, duration_s=scale.held_s)
        with MemoryWatch(instance) as memory:
            measured = measure(instance, load)
        if measured.clean and not measured.result.exhausted:
            return measured, memory
    return _search(bench, instance, name, batch, _estimate_rate(probe) / per_request)


def _estimate_rate(probe: Measurement) -> float:
    """Events per second that the cores allow at the probe's CPU times, if the writer gets what it needs."""
    result, cpu_s = probe.result, probe.cpu_s
    writer_s = cpu_s.pop("writer") / result.accepted
    taking_in_s = (sum(cpu_s.values()) + result.generator_cpu_s) / result.sent_events
    return FIRST_GUESS * min(CORES / (writer_s + taking_in_s), 1 / writer_s)


def _search(
    bench: Bench, instance: BenchInstance, name: str, batch: int, rate: float
) -> tuple[Measurement, MemoryWatch]:
    """Short runs up or down from `rate` until one holds and the next does not; then the full one."""
    attempt, best, failed = 0, 0.0, False

    def hold(rate: float, seconds: float) -> tuple[Measurement, MemoryWatch]:
        nonlocal attempt
        attempt += 1
        bench.say(f"{name}: {rate * max(batch, 1):,.0f} events/s for {seconds:.0f} s")
        load = Load(target(instance), f"{name}-{attempt}", requests=int(rate * seconds), batch=batch, rate=rate)
        with MemoryWatch(instance) as memory:
            return measure(instance, load), memory

    while attempt < ATTEMPTS_MAX and not (best and failed):
        measured, _ = hold(rate, bench.scale.probe_s)
        if _is_held(measured, rate) and measured.drain_s <= DRAIN_S_MAX:
            best, rate = rate, rate * STEP
        else:
            failed, rate = True, min(rate / STEP, STORED_SHARE * measured.stored_per_s / max(batch, 1))
    rate = best or rate
    for _ in range(FULL_RUNS_MAX):
        measured, memory = hold(rate, bench.scale.held_s)
        if _is_held(measured, rate):
            return measured, memory
        rate = min(rate * BACK_OFF, STORED_SHARE * measured.stored_per_s / max(batch, 1))
    bench.report.warn(f"{name}: no rate down to {rate * max(batch, 1):,.0f} events/s was held; is the machine busy?")
    return measured, memory


def _is_held(measured: Measurement, rate: float) -> bool:
    return measured.clean and measured.result.requests_per_s >= KEPT_UP * rate


def _report_held(bench: Bench, name: str, held: Measurement, unit: str, batch: int) -> None:
    result, cpu_s = held.result, held.cpu_s
    generator_s = result.generator_cpu_s
    cores_busy = (sum(cpu_s.values()) + generator_s) / held.stored_in_s
    bench.report.add(
        f"{name}.held_per_s",
        held.stored_per_s,
        unit,
        f"CPU: {cores_busy:.2f} cores busy, of which the generator {generator_s / held.stored_in_s:.2f}",
        requests_per_s=result.requests_per_s,
        seconds=result.seconds,
        drain_s=held.drain_s,
        accepted=result.accepted,
        generator_us_per_request=result.generator_us,
        latency_ms=summary_ms(result.latency_s),
    )
    per_10k = {part: seconds / result.accepted * 10_000 for part, seconds in sorted(cpu_s.items())}
    bench.report.add(
        f"{name}.cpu_s_per_10k",
        sum(per_10k.values()),
        "CPU s / 10,000 events",
        ", ".join(f"{part} {seconds:.2f}" for part, seconds in sorted(per_10k.items(), key=lambda i: -i[1]) if seconds),
        by_part=per_10k,
    )


def _report_memory(bench: Bench, name: str, memory: dict[tuple[int, str], Memory]) -> None:
    parts = sorted(((part, one) for (_, part), one in memory.items()), key=lambda item: -item[1].pss)
    bench.report.add(
        name,
        sum(one.pss for _, one in parts) / MIB,
        "MiB, all processes",
        ", ".join(f"{part} {one.pss / MIB:.0f}" for part, one in parts)
        + f"; of it shared memory {sum(one.shared for _, one in parts) / MIB:.0f}",
        by_process=[(part, {kind: size / MIB for kind, size in one._asdict().items()}) for part, one in parts],
    )


def _report_idle(bench: Bench, instance: BenchInstance) -> None:
    bench.say(f"idle for {bench.scale.idle_s:.0f} s")
    time.sleep(min(3.0, bench.scale.idle_s))  # the last checkpoint
    before = instance.usage()
    time.sleep(bench.scale.idle_s)
    after = instance.usage()
    cpu_s = spent(before, after)
    percent = {part: seconds / (after.at - before.at) * 100 for part, seconds in cpu_s.items()}
    bench.report.add(
        "idle.cpu",
        sum(percent.values()),
        "% of one core",
        ", ".join(f"{part} {value:.2f}" for part, value in sorted(percent.items(), key=lambda i: -i[1]) if value)
        or "below the kernel's clock tick of 10 ms",
        by_part=percent,
    )
    _report_memory(bench, "idle.pss", instance.memory())
