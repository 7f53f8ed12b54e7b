"""What every scenario is given: the report to add to, durations, a folder, and a way to say what is going on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Report
from bloop.bench.instance import SECRET, Instance, Usage, spent
from bloop.bench.load import Load, Result, run_load
from bloop.bench.rendering import Target
from bloop.bench.rows import await_rows, max_id, reading, stored_of_run

DRAIN_WITHIN_S = 60.0


class CountError(Exception):
    """What was answered `accepted` and what is in the database differ. No figure matters beside that."""


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


@dataclass(slots=True)
class Measured:
    """One load, from its first request until everything it was promised is in the database."""

    result: Result
    stored_in_s: float  # from the first request to the last row being visible
    before: Usage
    after: Usage

    @property
    def stored_per_s(self) -> float:
        return self.result.accepted / self.stored_in_s

    @property
    def drain_s(self) -> float:
        return max(0.0, self.stored_in_s - self.result.seconds)

    @property
    def clean(self) -> bool:
        """Nothing dropped, nothing refused."""
        return not (self.result.dropped or self.result.invalid or self.result.refused)

    @property
    def cpu_s(self) -> dict[str, float]:
        return spent(self.before, self.after)


def measure(instance: Instance, load: Load, *, drain_within_s: float = DRAIN_WITHIN_S) -> Measured:
    """Run a load, wait for its rows, and compare every count.

    Raises:
        CountError: a record that was accepted is missing, or there twice.
    """
    with reading(instance.database) as db:
        after_id = max_id(db)
        before = instance.usage()
        result = run_load(load)
        try:
            seen_at = await_rows(db, after_id, result.accepted, drain_within_s)
        except TimeoutError as error:
            raise CountError(f"{load.run}: {error}") from error
        after = instance.usage()
        time.sleep(0.05)  # a record stored twice would come last
        rows, distinct = stored_of_run(db, load.run, after_id)
    if not rows == distinct == result.accepted:
        raise CountError(f"{load.run}: {result.accepted} accepted, {rows} rows, {distinct} distinct")
    return Measured(result, seen_at - result.started_at, before, after)


def target(instance: Instance) -> Target:
    return Target(port=instance.port, secret=SECRET)
