"""How much bloop takes in and stores, held; what it costs in CPU and memory; what it does when idle."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from benchmarks.bench import Bench, Measured, measure, target
from benchmarks.instance import Instance, spent
from benchmarks.load import CONNECTIONS, Load
from benchmarks.percentiles import summary_ms

ATTEMPTS_MAX = 6
STEP_DOWN = 0.93
FIRST_GUESS = 0.98  # of what the probe saw stored
KEPT_UP = 0.985  # of the schedule, or the rate was not held
REQUESTS_PER_S_MAX = 45_000  # rendered for a closed loop; more than any two cores take
BATCHES_PER_S_MAX = 1_600
MIB = 1024 * 1024


@dataclass
class MemoryWatch:
    """Samples the PSS of every process once a second, in a thread; keeps the moment with the largest sum."""

    instance: Instance
    peak: dict[tuple[int, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            sample = self.instance.pss_bytes()
            if sum(sample.values()) > sum(self.peak.values()):
                self.peak = sample


def run(bench: Bench) -> None:
    """Figures 1, 2, 3 and 6."""
    with Instance(bench.folder) as instance:
        bench.say("warming up")
        measure(instance, Load(target(instance), "warm", requests=4000, rate=2000))
        singles, memory = _held(bench, instance, batch=0)
        _report_held(bench, "singles", singles, "events/s", batch=1)
        _report_memory(bench, memory)
        batches, memory = _held(bench, instance, batch=50)
        _report_held(bench, "batches", batches, "events/s", batch=50)
        _report_idle(bench, instance)


def _held(bench: Bench, instance: Instance, batch: int) -> tuple[Measured, MemoryWatch]:
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
        else f"{CONNECTIONS} connections, each sending when answered; all cores busy, nothing dropped",
        dropped=result.dropped,
        latency_ms=summary_ms(result.latency_s),
        generator_us=result.generator_us,
    )
    rate = FIRST_GUESS * probe.stored_per_s / per_request
    for attempt in range(1, ATTEMPTS_MAX + 1):
        bench.say(f"{name}: {rate * per_request:,.0f} events/s for {scale.held_s:.0f} s, attempt {attempt}")
        load = Load(target(instance), f"{name}-{attempt}", requests=int(rate * scale.held_s), batch=batch, rate=rate)
        with MemoryWatch(instance) as memory:
            measured = measure(instance, load)
        if measured.clean and measured.result.requests_per_s >= KEPT_UP * rate:
            return measured, memory
        rate *= STEP_DOWN
    raise RuntimeError(f"no rate down to {rate * per_request:,.0f} events/s was held without a drop")


def _report_held(bench: Bench, name: str, held: Measured, unit: str, batch: int) -> None:
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


def _report_memory(bench: Bench, memory: MemoryWatch) -> None:
    parts = [(part, size / MIB) for (_, part), size in memory.peak.items()]
    bench.report.add(
        "memory.pss_under_load",
        sum(size for _, size in parts),
        "MiB, all processes",
        ", ".join(f"{part} {size:.0f}" for part, size in sorted(parts, key=lambda item: -item[1])),
        by_process=parts,
    )


def _report_idle(bench: Bench, instance: Instance) -> None:
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
    resting = [(part, size / MIB) for (_, part), size in instance.pss_bytes().items()]
    bench.report.add(
        "idle.pss",
        sum(size for _, size in resting),
        "MiB, all processes",
        ", ".join(f"{part} {size:.0f}" for part, size in sorted(resting, key=lambda item: -item[1])),
        by_process=resting,
    )
