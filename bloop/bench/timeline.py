"""What happened second by second: the loads' schedules and answers, beside what was sampled. Pure."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice

from bloop.bench.load import LoadResult
from bloop.bench.percentiles import percentile
from bloop.bench.results import Second
from bloop.bench.sampling import LoadSample
from bloop.bench.schedule import Load


def timeline(began: float, loads: Iterable[tuple[Load, LoadResult]], samples: Sequence[LoadSample]) -> list[Second]:
    """Seconds since `began` (time.monotonic()) in which anything was due, answered or sampled."""
    seconds: defaultdict[int, Second] = defaultdict(lambda: Second(0.0))
    waits: defaultdict[int, array[float]] = defaultdict(lambda: array("d"))
    for load, result in loads:
        size = max(load.batch, 1)
        for due_s in islice(load.schedule(), result.requests):
            seconds[int(result.started_at + due_s - began)].offered += size
        for (_, at), latency_s in zip(result.answered, result.latency_s, strict=True):
            second = int(at - began)
            seconds[second].answered += size
            waits[second].append(latency_s)
    for number, latencies in waits.items():
        ascending, second_ = sorted(latencies), seconds[number]
        second_.p50_ms, second_.p99_ms = (round(percentile(ascending, p) * 1000, 3) for p in (50, 99))
    _add(seconds, began, samples)
    for number, one in seconds.items():
        one.at_s = float(number)
    return [seconds[number] for number in sorted(seconds)]


def _add(seconds: defaultdict[int, Second], began: float, samples: Sequence[LoadSample]) -> None:
    before = 0
    for sample in samples:
        second = seconds[int(sample.at - began)]
        second.stored = sample.stored - before + (second.stored or 0)
        second.waiting, second.pss_mib = sample.waiting, round(sum(sample.pss_mib.values()), 1)
        second.cores = {part: round(cores, 3) for part, cores in sample.cores.items()}
        before = sample.stored
