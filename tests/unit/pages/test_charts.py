from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bloop.clock import DAY_MS, HOUR_MS
from bloop.pages import charts

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

    assert charts.sparkline(counts, NOW_MS) == "M82 0V12M94 0V24"
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
