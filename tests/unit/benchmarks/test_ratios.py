"""What is said about two sides that were measured in turns."""

from __future__ import annotations

import pytest

from benchmarks.ratios import COST_LIMIT, KINDS, LATENCY_LIMIT, Ratio, compare_sides, table_of


def test_runs_that_followed_each_other_are_divided_and_the_median_is_what_counts() -> None:
    ratio = Ratio("singles.cpu_per_10k", ours=(1.0, 2.0, 9.0), theirs=(1.0, 1.0, 10.0))

    assert ratio.by_pair == [1.0, 2.0, 0.9]
    assert ratio.median == 1.0
    assert not ratio.is_worse


@pytest.mark.parametrize(
    ("name", "limit"),
    [("batches.cpu_per_10k", COST_LIMIT), ("memory.at_rest", COST_LIMIT), ("latency.p99", LATENCY_LIMIT)],
)
def test_a_ratio_is_worse_above_its_limit_and_not_at_it(name: str, limit: float) -> None:
    assert not Ratio(name, (limit,), (1.0,)).is_worse
    assert Ratio(name, (limit + 0.001,), (1.0,)).is_worse


@pytest.mark.parametrize("ours", [0.1, 10.0])
def test_a_rate_has_no_limit(ours: float) -> None:
    assert not Ratio("singles.stored_per_s", (ours,), (1.0,)).is_worse


def test_figures_that_some_run_lacks_are_left_out_and_the_others_keep_their_order() -> None:
    ours = [{"pages.list": 2.0, "latency.p50": 1.0}, {"pages.list": 3.0, "latency.p50": 1.0, "latency.p99": 5.0}]
    theirs = [{"pages.list": 1.0, "latency.p50": 1.0}] * 2

    ratios = compare_sides(ours, theirs)

    assert [(ratio.name, ratio.ours) for ratio in ratios] == [("latency.p50", (1.0, 1.0)), ("pages.list", (2.0, 3.0))]


def test_the_json_has_every_value_and_what_it_is_compared_with() -> None:
    assert Ratio("latency.p50", (2.0, 3.0), (2.0, 2.0)).as_json() == {
        "name": "latency.p50",
        "unit": "ms",
        "ours": (2.0, 3.0),
        "theirs": (2.0, 2.0),
        "ratio": 1.25,
        "ratio_min": 1.0,
        "ratio_max": 1.5,
        "limit": LATENCY_LIMIT,
        "is_worse": True,
    }


def test_the_table_marks_what_is_worse_and_nothing_else() -> None:
    ratios = [Ratio(name, (1.5 if name == "pages.list" else 1.0,), (1.0,)) for name in KINDS]

    marks = list(table_of(ratios, "a", "b").columns[-1].cells)

    assert [name for name, mark in zip(KINDS, marks, strict=True) if "worse" in str(mark)] == ["pages.list"]
