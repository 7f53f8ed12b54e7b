"""Ratios of two sides measured in alternating runs, with limits, on the screen and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from rich.table import Table

from benchmarks.report import printable

COST_LIMIT = 1.03  # CPU and memory
LATENCY_LIMIT = 1.10

Figures = Mapping[str, float]  # figures of one run, by name


class Kind(NamedTuple):
    """A figure that every run has."""

    unit: str
    limit: float | None = None  # a median ratio above it is marked; None: more is better, never marked


KINDS: dict[str, Kind] = {
    "singles.stored_per_s": Kind("events/s"),
    "singles.cpu_per_10k": Kind("CPU s", COST_LIMIT),
    "batches.stored_per_s": Kind("events/s"),
    "batches.cpu_per_10k": Kind("CPU s", COST_LIMIT),
    "latency.p50": Kind("ms", LATENCY_LIMIT),
    "latency.p99": Kind("ms", LATENCY_LIMIT),
    "memory.under_load": Kind("MiB", COST_LIMIT),
    "memory.at_rest": Kind("MiB", COST_LIMIT),
    "pages.list": Kind("ms", LATENCY_LIMIT),
    "pages.issue": Kind("ms", LATENCY_LIMIT),
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure of both sides: ours divided by theirs, for each run of ours and the run of theirs that followed."""

    name: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def by_pair(self) -> list[float]:
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def median(self) -> float:
        return median(self.by_pair)

    @property
    def is_worse(self) -> bool:
        """Whether the median is above the figure's limit."""
        limit = KINDS[self.name].limit
        return limit is not None and self.median > limit

    def as_json(self) -> dict[str, Any]:
        kind, pairs = KINDS[self.name], self.by_pair
        return {
            "name": self.name,
            "unit": kind.unit,
            "ours": self.ours,
            "theirs": self.theirs,
            "ratio": self.median,
            "ratio_min": min(pairs),
            "ratio_max": max(pairs),
            "limit": kind.limit,
            "is_worse": self.is_worse,
        }


def compare_sides(ours: Sequence[Figures], theirs: Sequence[Figures]) -> list[Ratio]:
    """The ratio of every figure that all runs have, in the order of KINDS."""
    runs = [*ours, *theirs]
    return [
        Ratio(name, tuple(run[name] for run in ours), tuple(run[name] for run in theirs))
        for name in KINDS
        if all(name in run for run in runs)
    ]


def table_of(ratios: Sequence[Ratio], ours: str, theirs: str) -> Table:
    """Medians of both sides, the median ratio with its range, its limit, and a mark where it is above."""
    table = Table(title=f"{ours} (ours) compared with {theirs} (theirs)")
    table.add_column("figure", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    for column in ("ours", "theirs", "ratio", "min", "max", "limit"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    section = ""
    for ratio in ratios:
        kind, pairs, group = KINDS[ratio.name], ratio.by_pair, ratio.name.partition(".")[0]
        if section and group != section:
            table.add_section()
        section = group
        table.add_row(
            ratio.name,
            kind.unit,
            printable(median(ratio.ours)),
            printable(median(ratio.theirs)),
            f"{ratio.median:.2f}",
            f"{min(pairs):.2f}",
            f"{max(pairs):.2f}",
            "" if kind.limit is None else f"{kind.limit:.2f}",
            "[red]worse[/]" if ratio.is_worse else "",
        )
    return table
