"""Measures how long a client waits for its answer, and how long until the event can be read. Open loop throughout."""

from __future__ import annotations

from benchmarks.bench import Bench, target
from bloop.bench.instance import BenchInstance
from bloop.bench.measure import measure
from bloop.bench.percentiles import summary_ms
from bloop.bench.rows import POLL_S, VisibilityWatch
from bloop.bench.schedule import Load

ANSWER_RATES = (1000, 5000)
VISIBLE_RATES = (100, 1000)
SAMPLES_MIN = 500  # at a low rate the run is longer, or its p99 would be a single event


def run(bench: Bench) -> None:
    """Measure both at several rates."""
    with BenchInstance(bench.folder) as instance:
        measure(instance, Load(target(instance), "warm", requests=4000, rate=2000))
        for rate in sorted({*ANSWER_RATES, *VISIBLE_RATES}):
            _measure_rate(bench, instance, rate)


def _measure_rate(bench: Bench, instance: BenchInstance, rate: int) -> None:
    bench.say(f"latency at {rate:,} events/s")
    run_name = f"lat{rate}"
    requests = max(int(rate * bench.scale.latency_s), min(SAMPLES_MIN, int(rate * bench.scale.latency_s * 2)))
    load = Load(target(instance), run_name, requests=requests, rate=rate)
    gather_ms = instance.settings.pipeline.gather_ms
    if rate not in VISIBLE_RATES:
        measured = measure(instance, load)
    else:
        with VisibilityWatch(instance.database, run_name) as watch:
            measured = measure(instance, load)
        answered = measured.result.answered
        lags = summary_ms(watch.waits_s(answered))
        if lags["count"] != len(answered):
            bench.report.warn(f"{run_name}: {len(answered) - lags['count']} of {len(answered)} never became visible")
        bound = (
            f"the writer gathers for {gather_ms} ms, then one transaction; seen by polling every {POLL_S * 1000:.0f} ms"
        )
        bench.report.add(f"visible.p50_at_{rate}", lags["p50"], "ms after the answer", bound, **lags)
        bench.report.add(f"visible.p99_at_{rate}", lags["p99"], "ms after the answer", bound, **lags)
    if rate in ANSWER_RATES:
        waits = summary_ms(measured.result.latency_s)
        kind = "open loop, from when each request was due"
        bench.report.add(f"answer.p50_at_{rate}", waits["p50"], "ms", f"{kind}: the path of one request", **waits)
        bench.report.add(
            f"answer.p99_at_{rate}", waits["p99"], "ms", f"{kind}: sharing cores with writer and generator", **waits
        )
    if not measured.clean:
        bench.report.warn(f"{run_name}: {measured.result.dropped} dropped, refused {measured.result.refused}")
