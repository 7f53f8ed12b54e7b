"""When backups are due (bloop/backup/schedule.py), SCHEDULE-1 to SCHEDULE-4."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bloop.backup.read import ScheduleHistory
from bloop.backup.schedule import RETRY_FIRST_MS, RETRY_MAX_MS, due_at_ms, next_hour_ms, pause_ms
from bloop.base.clock import DAY_MS, HOUR_MS

DAY = 20_000 * DAY_MS  # a midnight
NEW = ScheduleHistory(created_at_ms=DAY + 10 * HOUR_MS, good_at_ms=None, failures=0, failed_at_ms=None)

times = st.integers(0, 4 * 10**12)
hours = st.integers(0, 23)


def test_a_new_database_waits_for_its_first_night() -> None:
    assert due_at_ms(3, NEW, NEW.created_at_ms or 0) == DAY + DAY_MS + 3 * HOUR_MS


def test_one_backup_a_night_is_enough() -> None:
    made_at = DAY + DAY_MS + 3 * HOUR_MS + 5000
    history = NEW._replace(good_at_ms=made_at)

    assert due_at_ms(3, history, made_at + HOUR_MS) == DAY + 2 * DAY_MS + 3 * HOUR_MS


def test_nights_that_were_missed_are_made_up_once() -> None:
    woke_at = DAY + 5 * DAY_MS + 14 * HOUR_MS
    history = NEW._replace(good_at_ms=DAY + 3 * HOUR_MS)

    assert due_at_ms(3, history, woke_at) <= woke_at
    assert due_at_ms(3, history._replace(good_at_ms=woke_at), woke_at) == DAY + 6 * DAY_MS + 3 * HOUR_MS


def test_what_failed_is_tried_again_after_a_pause() -> None:
    failed_at = DAY + DAY_MS + 3 * HOUR_MS
    history = NEW._replace(failures=1, failed_at_ms=failed_at)

    assert due_at_ms(3, history, failed_at) == failed_at + RETRY_FIRST_MS


def test_a_failure_makes_nothing_due_before_its_night() -> None:
    made_at = DAY + 3 * HOUR_MS
    history = ScheduleHistory(created_at_ms=0, good_at_ms=made_at, failures=1, failed_at_ms=made_at + HOUR_MS)

    assert due_at_ms(3, history, made_at + 2 * HOUR_MS) == made_at + DAY_MS


def test_a_clock_that_ran_ahead_does_not_end_backups() -> None:
    history = ScheduleHistory(
        created_at_ms=NEW.created_at_ms, good_at_ms=DAY + 9000 * DAY_MS, failures=0, failed_at_ms=None
    )

    assert due_at_ms(3, history, DAY + 2 * DAY_MS) < DAY + 2 * DAY_MS


def test_a_database_from_the_future_is_backed_up_now() -> None:
    assert due_at_ms(3, NEW, DAY) == 0


@given(times, hours)
def test_the_next_night_is_at_most_a_day_away(since_ms: int, hour: int) -> None:
    at = next_hour_ms(since_ms, hour)

    assert 0 < at - since_ms <= DAY_MS
    assert at % DAY_MS == hour * HOUR_MS


@given(st.integers(1, 10_000))
def test_pauses_grow_and_stay_bounded(failures: int) -> None:
    assert RETRY_FIRST_MS <= pause_ms(failures) <= pause_ms(failures + 1) <= RETRY_MAX_MS


@given(st.none() | times, st.none() | times, st.integers(0, 50), times, hours, times)
def test_whatever_happened_a_backup_is_due_within_a_day_and_a_pause(
    created: int | None, good: int | None, failures: int, failed: int, hour: int, now: int
) -> None:
    history = ScheduleHistory(created, good, failures, failed if failures else None)

    assert due_at_ms(hour, history, now) <= now + DAY_MS + RETRY_MAX_MS
