from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.site import charts

NOW_MS = 1_768_739_400_000  # 2026-01-18 12:30 UTC, a Sunday
HOUR = NOW_MS // HOUR_MS * HOUR_MS


def test_empty_hours_are_bars_too_and_the_current_hour_is_partial() -> None:
    chart = charts.hourly([(HOUR - 2 * HOUR_MS, 3)], NOW_MS, hours=72)

    assert len(chart.bars) == 72
    assert [bar.partial for bar in chart.bars].index(True) == 71
    assert [(i, bar.count) for i, bar in enumerate(chart.bars) if bar.count] == [(69, 3)]
    assert chart.bars[69].label == "Sun 18 Jan 10:00"


def test_the_scale_starts_at_zero_and_never_ends_below_its_minimum() -> None:
    chart = charts.hourly([(HOUR, 1)], NOW_MS, hours=24)

    assert chart.top == charts.SCALE_MIN
    assert chart.bars[-1].height == charts.CHART_HEIGHT / charts.SCALE_MIN
    assert chart.bars[-1].y + chart.bars[-1].height == charts.CHART_HEIGHT


def test_hours_are_summed_into_utc_days() -> None:
    midnight = NOW_MS // DAY_MS * DAY_MS
    chart = charts.daily([(midnight - HOUR_MS, 2), (midnight, 3), (HOUR, 4)], NOW_MS, days=30)

    assert [bar.count for bar in chart.bars[-2:]] == [2, 7]
    assert chart.daily
    assert chart.bars[-1].label == "Sun 18 Jan"


def test_counts_outside_the_span_are_left_out() -> None:
    chart = charts.hourly([(HOUR - 24 * HOUR_MS, 9), (HOUR + HOUR_MS, 9)], NOW_MS, hours=24)

    assert chart.total == 0


def test_no_label_sticks_out_on_the_right() -> None:
    for hours in (24, 72):
        chart = charts.hourly([], NOW_MS, hours=hours)
        assert chart.ticks
        assert all(tick.x <= 100 * charts.TICK_SHARE for tick in chart.ticks)


def test_a_sparkline_is_one_stroke_per_hour_with_events() -> None:
    counts = [(HOUR, 8), (HOUR - 3 * HOUR_MS, 4), (HOUR - 30 * HOUR_MS, 99)]

    assert charts.sparkline(counts, NOW_MS) == "M20 0V12M23 0V24"
    assert charts.sparkline([], NOW_MS) == ""


@given(st.integers(min_value=1, max_value=10**12))
def test_the_end_of_a_scale_is_round_and_wastes_less_than_half(value: int) -> None:
    top = charts.nice_ceiling(value)

    assert value <= top <= 2 * value
    assert re.fullmatch(r"[1234568]0*", str(top))


@given(st.lists(st.tuples(st.integers(min_value=HOUR - 80 * HOUR_MS, max_value=HOUR), st.integers(0, 10**9))))
def test_bars_stay_inside_the_chart_and_every_event_counts_once(counts: list[tuple[int, int]]) -> None:
    chart = charts.hourly(counts, NOW_MS, hours=72)

    assert chart.total == sum(count for at_ms, count in counts if at_ms // HOUR_MS > NOW_MS // HOUR_MS - 72)
    for bar in chart.bars:
        assert 0 <= bar.y <= charts.CHART_HEIGHT
        assert 0 <= bar.x < 100
        assert bool(bar.height) == bool(bar.count)


def test_releases_are_marked_where_they_were_first_seen_those_of_one_bucket_together() -> None:
    releases = [("1.1", HOUR - 3 * HOUR_MS), ("1.2", HOUR + 5), ("1.2.1", HOUR + 9), ("0.9", HOUR - 90 * HOUR_MS)]

    chart = charts.marked(charts.hourly([], NOW_MS, hours=24), releases)

    assert [marker.text for marker in chart.markers] == ["1.1", "1.2, 1.2.1"]
    assert [marker.x for marker in chart.markers] == [pytest.approx(100 * (n + 0.38) / 24, abs=0.01) for n in (20, 23)]
    assert [bar.releases for bar in chart.bars if bar.releases] == ["1.1", "1.2, 1.2.1"]


def test_many_releases_leave_room_for_the_chart() -> None:
    releases = [(f"r{n}", HOUR - n * HOUR_MS) for n in range(23)] + [(f"s{n}", HOUR) for n in range(9)]

    chart = charts.marked(charts.hourly([], NOW_MS, hours=24), releases)

    assert [marker.text for marker in chart.markers] == ["r2", "r1", "r0, s0, s1 and 7 more"]


def test_a_chart_as_one_path_has_a_stroke_for_every_bucket_with_events() -> None:
    chart = charts.hourly([(HOUR, 8), (HOUR - 3 * HOUR_MS, 4)], NOW_MS, hours=24)

    assert chart.path == "M20 80V40"
    assert chart.partial_path == "M23 80V0"
