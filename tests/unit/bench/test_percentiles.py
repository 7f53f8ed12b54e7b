"""Nearest rank, so that every percentile is a value that was measured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.bench.percentiles import percentile, summary_ms


@pytest.mark.parametrize(
    ("percent", "expected"), [(1, 1), (50, 50), (50.5, 51), (95, 95), (99, 99), (99.1, 100), (100, 100)]
)
def test_percentile_of_one_to_a_hundred(percent: float, expected: int) -> None:
    assert percentile(range(1, 101), percent) == expected


def test_percentile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(percentile([], 50))


@given(st.lists(st.integers(), min_size=1), st.integers(min_value=1, max_value=100))
def test_percentile_is_the_smallest_value_that_enough_values_do_not_exceed(values: list[int], percent: int) -> None:
    found = percentile(sorted(values), percent)

    assert sum(v <= found for v in values) * 100 >= percent * len(values)
    smaller = [v for v in values if v < found]
    assert len(smaller) * 100 < percent * len(values)


def test_summary_is_in_milliseconds_whatever_the_order() -> None:
    assert summary_ms([0.004, 0.001, 0.003, 0.002]) == {"count": 4, "p50": 2.0, "p95": 4.0, "p99": 4.0, "max": 4.0}
