"""Summaries of measured values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypedDict


class Summary(TypedDict):
    """Milliseconds. Nearest rank: every printed number was measured."""

    count: int
    p50: float
    p95: float
    p99: float
    max: float


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` % of the values do not exceed (nearest rank); nan of nothing."""
    assert 0 < percent <= 100
    if not ascending:
        return math.nan
    return ascending[math.ceil(len(ascending) * percent / 100) - 1]


def summary_ms(seconds: Iterable[float]) -> Summary:
    """The summary of values in seconds, in milliseconds."""
    ascending = sorted(seconds)
    p50, p95, p99, top = (round(percentile(ascending, p) * 1000, 3) for p in (50, 95, 99, 100))
    return {"count": len(ascending), "p50": p50, "p95": p95, "p99": p99, "max": top}
