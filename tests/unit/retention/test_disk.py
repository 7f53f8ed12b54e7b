"""Room on the disk: the state does not flap, the log stays out of the reserve, growth is told from days."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.retention import disk
from bloop.retention.disk import PAGE_BYTES, WAL_PAGES_MIN, Sizes, UsedSpace
from tests.seed import NOW_MS

MIB = 1024 * 1024
GIB = 1024 * MIB


def test_storing_stops_below_the_minimum_and_begins_again_with_a_quarter_more() -> None:
    full, states = False, []
    for free in (100, 64, 63, 64, 79, 80, 79, 64, 63):
        full = disk.is_full(free, 64, was_full=full)
        states.append(full)

    assert states == [False, False, True, True, True, False, False, False, True]


@given(st.lists(st.integers(64, 79), min_size=1), st.booleans())
def test_nothing_between_the_two_marks_changes_the_state(frees: list[int], full: bool) -> None:
    assert {disk.is_full(free, 64, was_full=full) for free in frees} == {full}


def test_a_file_system_that_says_nothing_is_not_full(tmp_path: Path) -> None:
    assert disk.free_bytes(tmp_path / "gone" / "bloop.db") is None
    assert not disk.is_full(None, 64, was_full=True)
    assert not disk.is_low(tmp_path / "gone" / "bloop.db", 64)


def test_a_minimum_of_zero_switches_the_guard_off() -> None:
    assert not disk.is_full(0, 0, was_full=False)
    assert not disk.is_full(0, 0, was_full=True)


@given(free=st.integers(0, 10 * GIB), minimum=st.integers(0, GIB))
def test_the_log_never_needs_the_reserve(free: int, minimum: int) -> None:
    pages = disk.wal_pages_max(free, minimum, usually=16_384)

    assert WAL_PAGES_MIN <= pages <= 16_384
    assert pages == WAL_PAGES_MIN or pages * PAGE_BYTES <= (free - minimum) / 2


def test_with_room_the_log_may_grow_as_usual() -> None:
    assert disk.wal_pages_max(10 * GIB, 64 * MIB, usually=16_384) == 16_384
    assert disk.wal_pages_max(None, 64 * MIB, usually=16_384) == 16_384


def used(*points: tuple[float, int]) -> list[UsedSpace]:
    return [UsedSpace(NOW_MS + int(days * DAY_MS), size) for days, size in points]


def test_growth_is_what_was_added_in_a_day() -> None:
    assert disk.growth_per_day(used((0, 100 * MIB), (1, 180 * MIB), (2, 300 * MIB))) == 100 * MIB
    assert disk.growth_per_day(used((0, 300 * MIB), (2, 100 * MIB))) == -100 * MIB


def test_growth_looks_two_weeks_back() -> None:
    assert disk.growth_per_day(used((-40, 0), (-10, 100 * MIB), (0, 200 * MIB))) == 10 * MIB


def test_less_than_a_day_says_nothing() -> None:
    assert disk.growth_per_day([]) is None
    assert disk.growth_per_day(used((0, MIB))) is None
    assert disk.growth_per_day(used((0, MIB), (0.9, 2 * MIB))) is None


def test_days_left_count_what_is_free_inside_the_file_and_not_the_reserve() -> None:
    now = Sizes(GIB, 100 * MIB, 0, 964 * MIB)

    assert disk.days_left(now, 100 * MIB, 64 * MIB) == 10
    assert disk.days_left(now._replace(disk_free_bytes=0, reusable_bytes=0), 100 * MIB, 64 * MIB) == 0


def test_what_does_not_grow_is_never_full() -> None:
    now = Sizes(GIB, 0, 0, GIB)

    assert [disk.days_left(now, growth, 0) for growth in (None, 0, -MIB, 1000)] == [None] * 4
    assert disk.days_left(now._replace(disk_free_bytes=None), MIB, 0) is None


def test_hours_apart_is_no_day() -> None:
    points = [UsedSpace(NOW_MS + n * HOUR_MS, n * MIB) for n in range(24)]

    assert disk.growth_per_day(points) is None
