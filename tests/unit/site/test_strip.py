from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.site.scope import RANGES_MS, PageScope, Window
from bloop.site.strip import BARS_MAX, BUCKETS_MS, SPARK_BARS, bucket_of, make_strip, spark_path

NOW_MS = int(datetime(2026, 11, 30, 15, 20, 33, tzinfo=UTC).timestamp()) * 1000
WINDOWS = st.sampled_from([PageScope(range=name).window(NOW_MS) for name in RANGES_MS])


@given(WINDOWS, st.lists(st.tuples(st.integers(-40 * DAY_MS, DAY_MS), st.integers(0, 500)), max_size=60))
def test_a_strip_counts_what_is_in_its_window_and_nothing_else(window: Window, offsets: list[tuple[int, int]]) -> None:
    counts = [(NOW_MS + offset, count) for offset, count in offsets]
    inside = sum(count for at_ms, count in counts if window.from_ms <= at_ms < window.to_ms)

    strip = make_strip(counts, window)

    assert strip.total == inside
    assert strip.bars <= BARS_MAX
    assert sum(row.count for row in strip.rows) == inside
    drawn = len(re.findall("v", strip.path + strip.running_path))
    assert drawn == sum(count > 0 for count in strip.counts)


@given(st.integers(MINUTE_MS, 366 * DAY_MS), st.sampled_from([MINUTE_MS, HOUR_MS]))
def test_bars_are_never_finer_than_the_counts_behind_them(span_ms: int, unit_ms: int) -> None:
    window = Window(0, -(-span_ms // unit_ms) * unit_ms, unit_ms, is_running=False)

    bucket_ms = bucket_of(window)

    assert bucket_ms >= unit_ms
    assert bucket_ms in BUCKETS_MS
    assert window.to_ms <= bucket_ms * BARS_MAX


def test_the_bar_of_the_running_bucket_is_drawn_apart() -> None:
    window = PageScope(range="24h").window(NOW_MS)

    strip = make_strip([(window.from_ms, 4), (window.to_ms - 1, 2)], window)

    assert (strip.path, strip.running_path) == ("M0 100v-100", f"M{strip.bars - 1} 100v-50")


def test_releases_are_marked_where_they_were_first_seen_and_named_in_the_table() -> None:
    window = PageScope(range="7d").window(NOW_MS)
    at_ms = window.to_ms - 2 * DAY_MS

    strip = make_strip([(at_ms, 1)], window, [("2.0", at_ms), ("2.1", at_ms), ("1.0", window.from_ms - 1)])

    (marker,) = strip.markers
    assert marker.text == "2.0, 2.1"
    assert [row.releases for row in strip.rows] == ["2.0, 2.1"]


def test_a_few_events_are_seen_beside_many() -> None:
    window = PageScope(range="24h").window(NOW_MS)

    assert make_strip([(window.from_ms, 1), (window.to_ms - DAY_MS // 2, 9999)], window).path.startswith("M0 100v-2m")


def test_a_sparkline_holds_its_window_on_a_fixed_grid() -> None:
    window = PageScope(range="7d").window(NOW_MS)
    step_ms = (window.to_ms - window.from_ms) // SPARK_BARS

    assert spark_path([(window.from_ms + n * step_ms + 1, 5) for n in (0, 23)], window) == "M0 20v-20m23 20v-20"
    assert spark_path([(window.from_ms - 1, 5), (window.to_ms, 5)], window) == ""
