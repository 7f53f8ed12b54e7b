"""A clean-up leaves exactly what it should, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.db import connection
from bloop.retention import cleaner as cleaner_module
from bloop.retention import steps as steps_module
from bloop.retention import store as retention
from tests.integration.retention.cleaning import add_events, clean, counters, expected, settle, steps, stored
from tests.noise import noise
from tests.seed import NOW_MS, Seed
from tests.stored import request_ids

NOISE = noise(3000)

numbers = itertools.count()


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step deletes one part of a few rows: many places to be interrupted at."""
    monkeypatch.setattr(steps_module, "HOLD_S", 0.0)
    monkeypatch.setattr(cleaner_module, "PART_ROWS", 3)
    monkeypatch.setattr(cleaner_module, "TRIM_ROWS", 2)
    monkeypatch.setattr(cleaner_module, "FIND_ISSUES", 2)
    monkeypatch.setattr(cleaner_module, "HOURS_ISSUES", 1)


def issues(seed: Seed, projects: int = 2, each: int = 2) -> list[int]:
    made = [seed.project(f"p{next(numbers)}") for _ in range(projects)]
    return [seed.issue(project, f"f{number}") for number in range(each) for project in made]


# What is left

days_ago = st.integers(0, 20)
event_rows = st.lists(st.tuples(st.integers(0, 3), days_ago, st.integers(-1, 40)), max_size=60)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=event_rows,
    days=st.integers(1, 15),
    own=st.none() | st.integers(1, 20),
    samples=st.integers(1, 5),
    back_days=st.integers(-2, 10),
)
def test_what_is_new_or_among_the_newest_of_its_issue_is_left_and_nothing_else(
    tmp_path: Path,
    rows: list[tuple[int, int, int]],
    days: int,
    own: int | None,
    samples: int,
    back_days: int,
) -> None:
    seed = Seed(tmp_path / f"{next(numbers)}.db")
    with contextlib.closing(seed):
        of = issues(seed)
        overridden = seed.value("SELECT project_id FROM issues WHERE id = ?", of[0])
        with connection.immediate(seed.db):
            retention.save_policy(seed.db, overrides=[(overridden, own or 0)])
        # No client's clock is taken at more than a minute ahead.
        add_events(seed, [(of[i], received, max(client, received)) for i, received, client in rows])
        before, counted, now_ms = stored(seed), counters(seed), NOW_MS - back_days * DAY_MS

        run = clean(seed, days=days, samples=samples, now_ms=now_ms)

        left = expected(before, days=days, own={overridden: own} if own else {}, samples=samples, now_ms=now_ms)
        assert stored(seed) == left
        assert counters(seed) == counted
        assert (run.raw_events_due, run.raw_events_deleted) == (len(before) - len(left),) * 2
        assert run.finished_at_ms == now_ms


def test_the_newest_event_stays_so_that_its_number_is_not_given_again(seed: Seed) -> None:
    (issue,) = issues(seed, 1, 1)
    add_events(seed, [(issue, 20, 20)] * 5 + [(issue, 20, 30)])

    clean(seed, samples=1)

    assert [row.id for row in stored(seed)] == [5, 6]
    assert seed.event(issue) == 7


def test_what_is_not_counted_yet_is_not_deleted(seed: Seed) -> None:
    (issue,) = issues(seed, 1, 1)
    add_events(seed, [(issue, 20, 20)] * 10)
    seed.db.execute("UPDATE settled SET event_id = 4")

    clean(seed, samples=1)

    assert [row.id for row in stored(seed)] == [4, 5, 6, 7, 8, 9, 10]


def test_a_second_clean_up_finds_nothing(seed: Seed) -> None:
    of = issues(seed)
    add_events(seed, [(issue, age, age) for issue in of for age in range(20)])
    assert clean(seed).raw_events_deleted > 0
    left = stored(seed)

    again = clean(seed)

    assert (again.raw_events_due, again.raw_events_deleted, stored(seed)) == (0, 0, left)


def test_a_sample_goes_when_a_newer_event_has_taken_its_place(seed: Seed) -> None:
    (issue,) = issues(seed, 1, 1)
    add_events(seed, [(issue, 20, 20)] * 2)
    clean(seed, samples=2)
    assert [row.id for row in stored(seed)] == [1, 2]

    add_events(seed, [(issue, 0, 0)] * 2)
    clean(seed, samples=2)

    assert [row.id for row in stored(seed)] == [3, 4]


def test_lists_longer_than_one_are_worked_off(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaner_module, "DUE_ROWS_MAX", 7)
    of = issues(seed)
    add_events(seed, [(issue, 20, 20) for issue in of for _ in range(15)])

    run = clean(seed, samples=2)

    assert len(stored(seed)) == 2 * len(of)
    assert run.raw_events_deleted == 13 * len(of)


# Counts and small things


def test_hours_go_when_all_of_them_is_old_and_other_counters_stay(seed: Seed, short_steps: None) -> None:
    of = issues(seed, each=5)
    hour = NOW_MS - NOW_MS % HOUR_MS
    for issue in of:
        for days in range(8):
            seed.hour(issue, hour - days * DAY_MS, 3)
    counted = counters(seed)

    run = clean(seed, hours_days=4)

    kept = [hour - days * DAY_MS for days in range(5)]
    for table in ("hourly_counts", "project_hourly_counts", "fingerprint_hours", "project_hours"):
        assert sorted({row[0] for row in seed.rows(f"SELECT hour_ms FROM {table}")}, reverse=True) == kept
    assert counters(seed) == counted
    assert (run.hourly_counts_deleted, run.others_deleted) == (len(of) * 3, 2 * 3)


# Meanwhile


def test_a_clean_up_stopped_after_any_step_is_finished_by_the_next(tmp_path: Path, short_steps: None) -> None:
    def prepared() -> Seed:
        seed = Seed(tmp_path / f"{next(numbers)}.db")
        of = issues(seed)
        add_events(seed, [(issue, age, age) for issue in of for age in range(40)])
        for issue in of:
            seed.hour(issue, NOW_MS - 100 * DAY_MS - (NOW_MS - 100 * DAY_MS) % HOUR_MS, 1)
        return seed

    with contextlib.closing(prepared()) as whole:
        taken: list[int] = []
        done = clean(whole, taken.append, samples=2)
        left = stored(whole)
    assert done.raw_events_deleted > 0
    assert len(taken) > 30

    for stop_after in range(1, len(taken), 2):
        with contextlib.closing(prepared()) as seed:
            started = steps(seed.path, samples=2)
            for _ in itertools.islice(started, stop_after):
                pass
            started.close()  # type: ignore[attr-defined]

            run = clean(seed, samples=2)

            assert stored(seed) == left
            assert run._replace(asked_at_ms=0) == done._replace(asked_at_ms=0)


def test_a_longer_time_saved_meanwhile_saves_what_is_not_deleted_yet(seed: Seed, short_steps: None) -> None:
    (issue,) = issues(seed, 1, 1)
    add_events(seed, [(issue, 10, 10)] * 60)

    def keep_longer(step: int) -> None:
        if len(stored(seed)) < 50 and seed.value("SELECT raw_events_days IS NULL FROM retention_policy"):
            with connection.immediate(seed.db):
                retention.save_policy(seed.db, raw_events_days=30)

    run = clean(seed, keep_longer)

    assert 40 < len(stored(seed)) < 50
    assert run.raw_events_due == run.raw_events_deleted == 60 - len(stored(seed))


def test_a_shorter_time_saved_meanwhile_holds_at_once(seed: Seed, short_steps: None) -> None:
    (issue,) = issues(seed, 1, 1)
    add_events(seed, [(issue, 10, 10)] * 20 + [(issue, 3, 3)] * 20)

    def keep_less(step: int) -> None:
        if step == 4:
            with connection.immediate(seed.db):
                retention.save_policy(seed.db, raw_events_days=2)

    clean(seed, keep_less, samples=2)

    assert len(stored(seed)) == 2


def test_events_that_arrive_meanwhile_stay_even_under_a_number_that_was_on_the_list(
    seed: Seed, short_steps: None
) -> None:
    doomed, other = issues(seed, 2, 1)
    add_events(seed, [(doomed, 20, 20)] * 30)
    seed.event(other, request_id="last")
    settle(seed)

    def replace(step: int) -> None:
        """The project goes while its events are on the list, and others get their numbers."""
        if len(stored(seed)) < 28 and "new" not in request_ids(seed.db):
            seed.db.execute("DELETE FROM events")
            seed.db.execute("DELETE FROM events_by_fingerprint")
            for _ in range(31):
                seed.event(other, request_id="new")
            settle(seed)

    clean(seed, replace, samples=1)

    assert len(stored(seed)) == 31


def test_nothing_is_looked_for_under_the_write_lock(seed: Seed) -> None:
    of = issues(seed)
    add_events(seed, [(issue, age, age) for issue in of for age in range(20)])
    started = steps(seed.path)
    next(started)  # the run is written down

    with connection.immediate(seed.db):
        for _ in of[:2]:
            next(started)  # a project each


# Room


def test_a_file_asked_to_shrink_shrinks(seed: Seed) -> None:
    (issue,) = issues(seed, 1, 1)
    add_events(seed, [(issue, 20, 20)] * 2000, message=NOISE)
    seed.db.wal_checkpoint()
    before = seed.path.stat().st_size

    run = clean(seed, asked_by="ada")

    after = seed.path.stat().st_size
    assert before > 4_000_000 > 1_500_000 > after
    assert before - after == run.bytes_freed
    assert seed.value("PRAGMA freelist_count") == 0
    assert seed.value("PRAGMA integrity_check") == "ok"


def test_by_the_clock_a_small_file_keeps_its_room_unless_the_disk_needs_it(seed: Seed) -> None:
    (issue,) = issues(seed, 1, 1)
    add_events(seed, [(issue, 20, 20)] * 500, message=NOISE)

    kept = clean(seed)
    free = seed.value("PRAGMA freelist_count")
    given = clean(seed, disk_is_low=lambda: True)

    assert (kept.bytes_freed, given.bytes_freed > 0) == (0, True)
    assert free > 100
    assert seed.value("PRAGMA freelist_count") == 0
