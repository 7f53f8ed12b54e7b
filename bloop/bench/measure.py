"""Measures one load on a temporary bloop until every accepted event is stored, and compares all counts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bloop.bench.instance import BenchInstance, Usage, spent
from bloop.bench.load import LoadResult, run_load
from bloop.bench.rows import await_rows, max_id, reading, stored_of_run
from bloop.bench.schedule import Load

DRAIN_WITHIN_S = 60.0


class CountError(Exception):
    """The events answered `accepted` and those in the database differ: no figure of the run is valid."""


@dataclass(slots=True)
class Measurement:
    """One load, from its first request until every accepted event is in the database."""

    result: LoadResult
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


def measure(instance: BenchInstance, load: Load, *, drain_within_s: float = DRAIN_WITHIN_S) -> Measurement:
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
        time.sleep(0.05)  # a duplicate record would be stored last
        rows, distinct = stored_of_run(db, load.run, after_id)
    if not rows == distinct == result.accepted:
        raise CountError(f"{load.run}: {result.accepted} accepted, {rows} rows, {distinct} distinct")
    return Measurement(result, seen_at - result.started_at, before, after)
