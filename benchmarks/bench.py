"""The input of every scenario: the report to add to, durations, a folder, and a function that shows progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Report
from bloop.bench.instance import SECRET, BenchInstance
from bloop.bench.rendering import Target


@dataclass(frozen=True, slots=True)
class Scale:
    """How long things run."""

    held_s: float = 20.0
    probe_s: float = 5.0
    latency_s: float = 10.0
    idle_s: float = 10.0
    dataset_events: int = 1_000_000
    dataset_issues: int = 100_000
    query_repeats: int = 40
    peer_s: float = 4.0
    ring_s: float = 2.0
    burst_s: float = 20.0
    soak_s: float = 1800.0
    soak_rate: float = 0.0  # events a second; 0: half of the highest held rate
    bare_events: int = 60_000


QUICK = Scale(
    held_s=4.0,
    probe_s=2.0,
    latency_s=3.0,
    idle_s=3.0,
    dataset_events=50_000,
    dataset_issues=30_000,
    query_repeats=10,
    peer_s=1.5,
    ring_s=0.5,
    burst_s=3.0,
    bare_events=15_000,
)


@dataclass(frozen=True, slots=True)
class Bench:
    report: Report
    scale: Scale
    folder: Path
    say: Callable[[str], None]


def target(instance: BenchInstance) -> Target:
    return Target(port=instance.port, secret=SECRET)
