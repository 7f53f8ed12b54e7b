"""The statements of retention one by one: what each spares, that it is bounded, and how it finds its rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bloop import features
from bloop.alerts.firing import store as alerts
from bloop.base.clock import DAY_MS
from bloop.base.outcomes import Outcome
from bloop.issues.events import store as events
from bloop.retention import prune
from tests.seed import NOW_MS, Seed, fingerprint_id


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


def days_ago(days: int) -> int:
    return NOW_MS - days * DAY_MS


def add_signals(seed: Seed, *days: int, read_to: int) -> None:
    project = seed.project("shop")
    for age in days:
        seed.db.execute(
            "INSERT INTO signals (kind, project_id, at_ms) VALUES ('issue.new', ?, ?)", (project, days_ago(age))
        )
    seed.db.execute("UPDATE alert_cursor SET signal_id = ?", (read_to,))


def signals(seed: Seed) -> list[int]:
    return [row[0] for row in seed.rows("SELECT id FROM signals ORDER BY id")]


def test_old_signals_go_once_alerts_have_read_them(seed: Seed) -> None:
    add_signals(seed, 9, 8, 7, 1, 0, read_to=2)

    assert prune.delete_old(seed.db, features.table("signals"), days_ago(2), 100) == 2
    assert signals(seed) == [3, 4, 5]

    alerts.move_cursor(seed.db, 5)
    assert prune.delete_old(seed.db, features.table("signals"), days_ago(2), 100) == 1
    assert signals(seed) == [4, 5]


def test_the_newest_signal_stays_whatever_its_age(seed: Seed) -> None:
    add_signals(seed, 9, 8, 7, read_to=3)

    assert prune.delete_old(seed.db, features.table("signals"), days_ago(2), 100) == 2
    assert signals(seed) == [3]
    assert prune.delete_old(seed.db, features.table("signals"), days_ago(2), 100) == 0


def test_a_signal_from_a_clock_that_was_ahead_holds_up_no_other(seed: Seed) -> None:
    add_signals(seed, 9, -4000, 8, 7, 0, read_to=5)

    assert prune.delete_old(seed.db, features.table("signals"), days_ago(2), 100) == 3
    assert signals(seed) == [2, 5]


def add_minutes(seed: Seed, days: int) -> None:
    project = seed.project("shop")
    issue = seed.issue(project, "f00d")
    for age in range(days):
        minute = days_ago(age)
        seed.ledger(project, Outcome.STORED, minute, 1)
        seed.ledger(0, Outcome.INVALID, minute, 1)
        seed.db.execute("INSERT INTO minute_counts VALUES (?, ?, ?, 'production', 'api', 1)", (project, minute, issue))
        seed.db.execute(
            "INSERT INTO project_hourly_counts VALUES (?, ?, '1.0', 'production', 'api', 1)", (project, minute)
        )
        seed.db.execute(
            "INSERT INTO dead_letters (dead_at_ms, project_id, record_kind, reason, payload) VALUES (?, ?, 1, '', x'')",
            (minute, project),
        )
        seed.db.execute(
            "INSERT INTO rejections (rejected_at_ms, project_id, outcome, detail, key_prefix, client, user_agent)"
            " VALUES (?, ?, 5, '', '', '', '')",
            (minute, project),
        )
    seed.db.execute("INSERT INTO ledger_totals VALUES (?, 0, ?, ?)", (project, Outcome.STORED, days))


@pytest.mark.parametrize(
    ("table", "time", "a_day"),
    [
        ("ledger", "minute_ms", 2),
        ("project_hourly_counts", "hour_ms", 1),
        ("minute_counts", "minute_ms", 1),
        ("dead_letters", "dead_at_ms", 1),
        ("rejections", "rejected_at_ms", 1),
    ],
)
def test_what_is_older_goes_a_few_rows_at_a_time(seed: Seed, table: str, time: str, a_day: int) -> None:
    add_minutes(seed, 10)

    steps = []
    while deleted := prune.delete_old(seed.db, features.table(table), days_ago(3), 5):
        steps.append(deleted)

    assert sum(steps) == 6 * a_day
    assert max(steps) == 5
    assert seed.value(f"SELECT min({time}) FROM {table}") == days_ago(3)
    assert seed.value(f"SELECT count(*) FROM {table}") == 4 * a_day
    assert seed.rows("SELECT count FROM ledger_totals") == [(10,)]


def test_an_id_on_the_list_that_is_somebody_elses_by_now_is_spared(seed: Seed) -> None:
    issue = seed.issue(seed.project("shop"), "f00d")
    old, taken = (seed.event(issue, received_at_ms=days_ago(age)) for age in (9, 0))
    uncounted = seed.event(issue, received_at_ms=days_ago(9))
    seed.event(issue)
    seed.db.execute("UPDATE settled SET event_id = ?", (uncounted,))

    assert prune.delete_events(seed.db, [old, taken, uncounted], days_ago(7)) == 1
    assert seed.rows("SELECT id FROM events") == [(taken,), (uncounted,), (uncounted + 1,)]


def plan(seed: Seed, statement: str, **bindings: str | int) -> str:
    return "\n".join(row[3] for row in seed.db.execute(f"EXPLAIN QUERY PLAN {statement}", bindings))


def test_what_is_due_is_found_by_index(seed: Seed) -> None:
    """Rows that stay are never read: with a million of them an hour would not be enough."""
    prune.forget_due(seed.db)
    bindings: dict[str, str | int] = {
        "fingerprint_ids": "[]",
        "before_ms": 0,
        "timestamp_before_ms": 0,
        "samples": 5,
        "rows_max": 1,
    }

    found = plan(seed, prune._FIND_DUE, **bindings)

    assert "SEARCH k USING PRIMARY KEY (fingerprint_id=? AND timestamp_ms<?)" in found
    assert "SEARCH s USING PRIMARY KEY (fingerprint_id=?)" in found
    crowded = plan(seed, prune._SELECT_CROWDED, project_id=1, samples=5)
    assert "USING COVERING INDEX issues_by_events (project_id=? AND event_count>?)" in crowded


@pytest.mark.parametrize(
    ("statement", "search"),
    [
        (prune._SELECT_WITH_OLD_HOURS, "SEARCH h EXISTS USING PRIMARY KEY (fingerprint_id=? AND hour_ms<?)"),
        (prune._DELETE_HOURS, "SEARCH h USING PRIMARY KEY (fingerprint_id=? AND hour_ms<?)"),
        (features.table("project_hourly_counts").prune, "SEARCH h USING PRIMARY KEY (project_id=? AND hour_ms<?)"),
        (features.table("ledger").prune, "SEARCH ledger USING PRIMARY KEY (minute_ms<?)"),
        (features.table("signals").prune, "SEARCH signals USING INTEGER PRIMARY KEY (rowid<?)"),
    ],
)
def test_what_is_old_is_found_by_key(seed: Seed, statement: str, search: str) -> None:
    bindings: dict[str, str | int] = {"fingerprint_ids": "[]", "before_ms": 0, "rows_max": 1}

    assert search in plan(seed, statement, **bindings)


def test_crowded_issues_are_those_with_more_events_than_are_spared(seed: Seed) -> None:
    project, other = seed.project("shop"), seed.project("blog")
    ids = [seed.issue(project, f"f{n}", event_count=n) for n in (9, 5, 6, 1)]
    seed.issue(other, "f00d", event_count=9)

    assert list(prune.crowded_fingerprints(seed.db, project, 5)) == [fingerprint_id(ids[0]), fingerprint_id(ids[2])]


def test_the_list_is_the_connections_own_and_begins_empty(seed: Seed) -> None:
    issue = seed.issue(seed.project("shop"), "f00d", event_count=3)
    for age in (9, 8, 7):
        seed.event(issue, received_at_ms=days_ago(age), timestamp_ms=days_ago(age))
    events.mark_settled(seed.db)
    prune.forget_due(seed.db)

    assert prune.find_due(seed.db, [fingerprint_id(issue)], before_ms=days_ago(5), samples=1, rows_max=1) == 1
    assert prune.find_due(seed.db, [fingerprint_id(issue)], before_ms=days_ago(5), samples=1, rows_max=9) == 1
    assert prune.next_due(seed.db, after_id=0, before_ms=days_ago(5), rows_max=9) == [1, 2]
    prune.forget_due(seed.db)
    assert prune.count_due(seed.db) == 0
