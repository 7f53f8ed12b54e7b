"""MUTE-1 to MUTE-3 of bloop/issues/status/mutes.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.clock import HOUR_MS, MINUTE_MS
from bloop.issues.status.mutes import FOREVER, Mute, MuteEnd, Progress, step

T0 = 1_800_000_000_000
NONE_YET = Progress()


def test_a_mute_for_ever_outlasts_everything() -> None:
    done = step(FOREVER, NONE_YET, [T0] * 10_000)

    assert done.ended is None


@pytest.mark.parametrize(
    ("times", "at"), [([T0 - 1], None), ([T0 - 2, T0 - 1], None), ([T0 - 1, T0, T0 + 9], 1), ([T0 + 5], 0)]
)
def test_a_mute_until_a_time_ends_with_the_first_event_after_it(times: list[int], at: int | None) -> None:
    done = step(Mute(until_ms=T0), NONE_YET, times)

    assert (done.ended, done.at) == (None if at is None else MuteEnd.TIME, at)


def test_a_mute_until_so_many_events_ends_with_the_last_of_them() -> None:
    mute = Mute(events=5)

    first = step(mute, NONE_YET, [T0, T0, T0])
    assert (first.progress.events, first.ended) == (3, None)
    second = step(mute, first.progress, [T0 + 1])
    assert (second.progress.events, second.ended) == (4, None)
    third = step(mute, second.progress, [T0 + 2, T0 + 3, T0 + 4])
    assert (third.ended, third.at) == (MuteEnd.EVENTS, 0)


@given(st.integers(1, 30), st.lists(st.integers(1, 7), min_size=1, max_size=12))
def test_batches_of_any_size_end_it_with_the_same_event(events: int, batches: list[int]) -> None:
    mute, progress, seen = Mute(events=events), NONE_YET, 0
    for size in batches:
        done = step(mute, progress, [T0] * size)
        if done.ended:
            assert done.at is not None
            assert seen + done.at + 1 == events
            return
        progress, seen = done.progress, seen + size
    assert seen < events


def test_a_mute_until_a_rate_ends_with_more_than_that_within_an_hour() -> None:
    mute = Mute(per_hour=3)

    full = step(mute, NONE_YET, [T0, T0 + 20 * MINUTE_MS, T0 + 59 * MINUTE_MS])
    assert full.ended is None
    assert step(mute, full.progress, [T0 + 59 * MINUTE_MS]).ended is MuteEnd.RATE
    assert step(mute, full.progress, [T0 + 60 * MINUTE_MS]).ended is None  # the first is an hour old


def test_an_hour_is_any_sixty_minutes_not_the_one_on_the_clock() -> None:
    at = T0 - T0 % HOUR_MS + 45 * MINUTE_MS

    done = step(Mute(per_hour=5), NONE_YET, [at, at, at, at + 30 * MINUTE_MS, at + 30 * MINUTE_MS, at + 30 * MINUTE_MS])

    assert done.ended is MuteEnd.RATE


def test_a_backlog_of_hours_is_judged_by_its_busiest_hour() -> None:
    quiet = [T0 + n * 10 * MINUTE_MS for n in range(60)]  # six an hour for ten hours

    assert step(Mute(per_hour=6), NONE_YET, quiet).ended is None
    assert step(Mute(per_hour=6), NONE_YET, sorted([*quiet, T0 + 5 * HOUR_MS])).ended is MuteEnd.RATE


@given(st.lists(st.integers(0, 300), min_size=1, max_size=80), st.integers(1, 12))
def test_only_an_hour_is_kept_and_that_is_enough(minutes: list[int], per_hour: int) -> None:
    times = [T0 + minute * MINUTE_MS for minute in sorted(minutes)]
    mute = Mute(per_hour=per_hour)

    progress, ended_at = NONE_YET, None
    for number, at_ms in enumerate(times):
        done = step(mute, progress, [at_ms])
        if done.ended:
            ended_at = number
            break
        progress = done.progress
        assert len(progress.minutes) <= 60

    busiest = [sum(at - HOUR_MS < other <= at for other in times[: n + 1]) for n, at in enumerate(times)]
    assert ended_at == next((n for n, count in enumerate(busiest) if count > per_hour), None)
