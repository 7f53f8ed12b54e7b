"""LIMITS-1 to LIMITS-3 (bloop/issues/limits/model.py) and DAY-BYTES-1 and 2 (bloop/pipeline/day_bytes.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from bloop.base.clock import DAY_MS, HOUR_MS, day_of
from bloop.base.config import NO_LIMITS, ProjectLimits
from bloop.base.limits import OVERFLOW_NAME, Limit
from bloop.db import connection, migrate, word_search
from bloop.features import make_kinds
from bloop.issues.limits.sketch import Sketch
from bloop.pipeline import day_bytes
from bloop.pipeline.store import RingRecord, Store
from bloop.projects import store as projects
from bloop.projects.purge import purge_batch
from bloop.records.event import Event
from bloop.records.event_record import user_key
from bloop.records.record import EVENT_FORM, encode_event
from tests.stored import stored_events

T0 = 1_760_000_400_000  # a whole hour
RING = 7
PLAIN: dict[str, Any] = {
    "timestamp_ms": T0,
    "source": "api",
    "environment": "production",
    "release": "1.0.0",
    "error_type": "TypeError",
    "message": "boom",
    "stack": None,
    "route": None,
    "screen": None,
    "http_status": None,
    "request_id": None,
    "user_id_hash": None,
    "device_id_hash": None,
    "app_version": None,
    "build_number": None,
    "metadata": None,
    "level": "error",
}


class Writer:
    """A database, and a store that can be replaced by its successor, as after a crash."""

    def __init__(self, path: Path) -> None:
        migrate.migrate(path, T0)
        self.db = connection.open_writer(path)
        with connection.immediate(self.db):
            projects.ensure_default_project(self.db, "s" * 40, T0)
            projects.create_project(self.db, name="Shop", slug="shop", now_ms=T0)
        self.restart(NO_LIMITS)

    def restart(self, limits: ProjectLimits) -> None:
        self.store = Store(self.db, RING, make_kinds(self.db, limits))

    def put(self, *records: RingRecord, settle: bool = True, now_ms: int = T0) -> Any:
        return self.store.store(list(records), {0: 64}, [], now_ms=now_ms, settle=settle)

    def rows(self, sql: str) -> list[Any]:
        return self.db.execute(sql).fetchall()

    def kept(self, kind: Limit, project_id: int = 1) -> int:
        rows = self.db.execute(
            "SELECT row_count FROM kept_counts WHERE project_id = ? AND kind = ?", (project_id, kind)
        ).fetchall()
        return int(rows[0][0]) if rows else 0


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "bloop.db")
    yield made
    made.db.close()


def record(fingerprint: str = "aa", *, at_ms: int = T0, project_id: int = 1, **fields: Any) -> RingRecord:
    return EVENT_FORM, encode_event(project_id, at_ms, fingerprint, "v1", Event(**(PLAIN | fields))), 0


def records(count: int, **fields: Any) -> list[RingRecord]:
    return [record(f"f{number}", message=f"boom {number}", **fields) for number in range(count)]


# New issues


def test_new_issues_beyond_the_hour_go_to_the_issue_overflow(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, new_issues_per_hour=3))

    writer.put(*records(5), record("f0"))

    found = writer.rows("SELECT fingerprint, event_count FROM issues ORDER BY id")
    assert found == [("f0", 2), ("f1", 1), ("f2", 1), ("overflow", 2)]
    assert writer.rows("SELECT * FROM overflow_counts") == [(1, T0, Limit.NEW_ISSUES, 2)]
    assert writer.rows("SELECT * FROM new_issue_counts") == [(1, T0, 3)]


def test_events_of_the_issue_overflow_are_what_they_were(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, new_issues_per_hour=1))

    writer.put(*records(3))

    assert sorted(event.message for event in stored_events(writer.db)) == ["boom 0", "boom 1", "boom 2"]


def test_the_issue_overflow_says_which_limit_was_met_and_when_it_ends(writer: Writer) -> None:
    writer.restart(ProjectLimits(new_issues_per_hour=1))
    writer.put(*records(2))
    by_hour = writer.rows("SELECT message FROM issues WHERE fingerprint = 'overflow'")[0][0]
    writer.restart(ProjectLimits(issues=2))
    signals = writer.put(*records(4)).signals
    in_all = writer.rows("SELECT message FROM issues WHERE fingerprint = 'overflow'")[0][0]

    assert "1 new issues in an hour" in by_hour
    assert "2025-10-09 10:00 UTC" in by_hour
    assert "2 issues" in in_all
    assert "limits.issues" in in_all
    assert signals == 0, "it was new once"
    assert word_search.find(writer.db, ["limits.issues"], limit=9) == [2]


def test_with_the_next_hour_a_fingerprint_that_overflowed_gets_its_own_issue(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, new_issues_per_hour=1))
    writer.put(*records(2))

    writer.put(*records(2, at_ms=T0 + HOUR_MS), now_ms=T0 + HOUR_MS)

    found = writer.rows("SELECT fingerprint, event_count FROM issues ORDER BY id")
    assert found == [("f0", 2), ("overflow", 1), ("f1", 1)]


def test_deleting_issues_makes_room_for_as_many(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, issues=2))
    writer.put(*records(3))
    assert writer.rows("SELECT count(*) FROM issues") == [(3,)], "two, and the one for the rest"

    with connection.immediate(writer.db):
        writer.db.execute("DELETE FROM issues WHERE fingerprint IN ('f0', 'f1')")
    writer.put(record("f9"))
    writer.put(record("f10"))

    assert [row[0] for row in writer.rows("SELECT fingerprint FROM issues ORDER BY id")] == ["overflow", "f9"]


def test_a_limit_holds_for_each_project_by_itself(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, issues=1))

    writer.put(record("a"), record("b"), record("a", project_id=2), record("b", project_id=2))

    found = writer.rows("SELECT project_id, fingerprint FROM issues ORDER BY 1, 2")
    assert found == [(1, "a"), (1, "overflow"), (2, "a"), (2, "overflow")]


def test_an_issue_that_a_client_named_overflow_keeps_its_words(writer: Writer) -> None:
    writer.put(record("overflow", message="stack overflow"))
    writer.restart(replace(NO_LIMITS, issues=1))

    writer.put(record("b"))

    assert writer.rows("SELECT fingerprint, message, event_count FROM issues") == [("overflow", "stack overflow", 2)]


def test_a_batch_that_is_rolled_back_counts_nothing_against_a_limit(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, new_issues_per_hour=3, releases=2))
    writer.db.execute("CREATE TRIGGER full BEFORE INSERT ON ledger BEGIN SELECT raise(FAIL, 'no'); END")
    with pytest.raises(apsw.ConstraintError):
        writer.put(*records(3, release="2"))
    writer.db.execute("DROP TRIGGER full")

    writer.put(*[record(f"g{n}", release=f"r{n}") for n in range(3)])

    assert writer.rows("SELECT fingerprint FROM issues ORDER BY id") == [("g0",), ("g1",), ("g2",)]
    assert writer.rows("SELECT name FROM project_names WHERE kind = 3 ORDER BY 1") == [("r0",), ("r1",)]
    assert writer.rows("SELECT * FROM new_issue_counts") == [(1, T0, 3)]


# Names


def test_names_beyond_the_limit_are_counted_as_overflow_everywhere(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, releases=2, routes=2, environments=2, sources=2))

    writer.put(*[record(release=f"r{n}", route=f"/{n}", environment=f"e{n}", source=f"s{n}") for n in range(5)])

    for column, table in (
        ("release", "releases"),
        ("environment", "releases"),
        ("route", "route_counts"),
        ("release", "aggregates"),
        ("release", "hourly_counts"),
        ("environment", "minute_counts"),
        ("source", "minute_counts"),
        ("source", "project_hourly_counts"),
    ):
        names = {row[0] for row in writer.rows(f"SELECT {column} FROM {table}")}
        assert len(names) == 3
        assert OVERFLOW_NAME in names
    assert [row[:2] for row in writer.rows("SELECT kind, event_count FROM overflow_counts ORDER BY 1")] == [
        (Limit.RELEASES, 3),
        (Limit.ROUTES, 3),
        (Limit.ENVIRONMENTS, 3),
        (Limit.SOURCES, 3),
    ]
    assert sorted(event.release for event in stored_events(writer.db)) == ["r0", "r1", "r2", "r3", "r4"]
    assert writer.rows("SELECT sum(event_count) FROM aggregates") == [(5,)]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_known_names_stay_and_a_lower_limit_only_refuses_new_ones(writer: Writer, is_restarted: bool) -> None:
    writer.put(*[record(release=f"r{n}") for n in range(4)])
    if is_restarted:
        writer.restart(replace(NO_LIMITS, releases=2))

    writer.put(record(release="r3"), record(release="new"))

    counts = dict(writer.rows("SELECT release, event_count FROM releases"))
    assert counts["r3"] == 2
    assert counts[OVERFLOW_NAME if is_restarted else "new"] == 1
    assert writer.kept(Limit.RELEASES) == (4 if is_restarted else 5)


def test_a_release_named_overflow_by_a_client_needs_no_room(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, releases=1))

    writer.put(record(release=OVERFLOW_NAME), record(release="1"))

    assert writer.rows("SELECT release FROM releases ORDER BY 1") == [(OVERFLOW_NAME,), ("1",)]
    assert writer.rows("SELECT * FROM overflow_counts") == []


def test_events_that_a_crash_left_uncounted_are_judged_once(writer: Writer) -> None:
    limits = replace(NO_LIMITS, releases=2, new_issues_per_hour=2)
    writer.restart(limits)
    writer.put(*[record(f"f{n}", release=f"r{n}") for n in range(4)], settle=False)

    writer.restart(limits)
    writer.put()

    assert writer.rows("SELECT kind, event_count FROM overflow_counts ORDER BY 1") == [
        (Limit.NEW_ISSUES, 2),
        (Limit.RELEASES, 2),
    ]
    assert writer.kept(Limit.RELEASES) == 2
    assert writer.rows("SELECT sum(event_count) FROM issues") == [(4,)]


def test_the_product_of_names_is_limited_as_well(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, combinations=4))
    batch = [record(f"f{i}", release=f"r{r}") for i in range(2) for r in range(5)]

    writer.put(*batch)
    writer.put(*batch)

    in_aggregates = writer.rows("SELECT count(*), sum(event_count) FROM aggregates WHERE release <> '(overflow)'")
    assert in_aggregates == [(4, 8)]
    overflowed = writer.rows("SELECT count(*), sum(event_count) FROM aggregates WHERE release = '(overflow)'")
    assert overflowed[0][1] == 12
    assert overflowed[0][0] <= 2
    assert writer.rows("SELECT sum(event_count) FROM hourly_counts WHERE release = '(overflow)'") == [(12,)]
    assert writer.rows("SELECT count(*) FROM releases") == [(5,)], "the project has them all"
    assert writer.rows("SELECT kind, event_count FROM overflow_counts") == [(Limit.COMBINATIONS, 12)]


def test_kept_counts_are_what_they_count(writer: Writer) -> None:
    writer.put(*[record(f"f{n % 3}", release=f"r{n}", route=f"/{n % 2}", environment=f"e{n % 4}") for n in range(9)])
    writer.db.execute("DELETE FROM issues WHERE fingerprint = 'f1'")

    for kind in (Limit.RELEASES, Limit.ROUTES, Limit.ENVIRONMENTS, Limit.SOURCES):
        counted = writer.db.execute("SELECT count(*) FROM project_names WHERE kind = ?", (kind,)).get
        assert writer.kept(kind) == counted
    assert (writer.kept(Limit.COMBINATIONS),) == writer.rows("SELECT count(*) FROM aggregates")[0]
    assert writer.kept(Limit.COMBINATIONS) == 6


def test_a_purged_project_leaves_nothing_of_its_limits(writer: Writer) -> None:
    writer.restart(ProjectLimits(issues=2, releases=1, users_per_issue=2))
    writer.put(*[record(f"f{n % 4}", release=f"r{n}", user_id_hash=f"u{n}") for n in range(20)])
    assert writer.rows("SELECT count(*) > 0 FROM user_sketches") == [(1,)]

    writer.db.execute("UPDATE projects SET deleted_at_ms = 1 WHERE id = 1")
    while not purge_batch(writer.db, 1, {}, rows_max=1000, now_ms=T0):
        pass

    for table in ("project_names", "kept_counts", "new_issue_counts", "overflow_counts", "user_sketches"):
        assert writer.rows(f"SELECT count(*) FROM {table}") == [(0,)]


# Users


def users(writer: Writer) -> list[Any]:
    return writer.rows("SELECT user_count, users_are_estimated FROM issues")


def hit_by(first: int, last: int) -> list[RingRecord]:
    return [record(user_id_hash=f"u{number}") for number in range(first, last)]


def test_users_are_exact_up_to_the_limit_and_estimated_beyond(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, users_per_issue=1000))
    writer.put(*hit_by(0, 1000))
    assert users(writer) == [(1000, 0)]

    writer.put(*hit_by(500, 1500))

    (count, is_estimated), *_ = users(writer)
    assert is_estimated
    assert abs(count - 1500) < 4 * 0.01625 * 1500
    assert writer.rows("SELECT count(*) FROM issue_users") == [(0,)], "4 KiB stand for them"


def test_an_estimate_depends_on_who_was_hit_and_not_on_batches_or_restarts(writer: Writer) -> None:
    limits = replace(NO_LIMITS, users_per_issue=1000)
    writer.restart(limits)
    for first in (1200, 0, 2000, 600, 1200):
        writer.put(*hit_by(first, first + 900))
        writer.restart(limits)

    sketch = Sketch()
    sketch.add(user_key(f"u{number}", None) for number in range(2900))
    assert users(writer) == [(sketch.estimate(), 1)]
    assert writer.rows("SELECT user_count FROM user_sketches") == [(sketch.estimate(),)]


def test_a_deleted_issue_takes_its_sketch_with_it(writer: Writer) -> None:
    writer.restart(replace(NO_LIMITS, users_per_issue=10))
    writer.put(*hit_by(0, 50))

    writer.db.execute("DELETE FROM issues")
    writer.put(*hit_by(0, 5))

    assert writer.rows("SELECT count(*) FROM user_sketches") == [(0,)]
    assert users(writer) == [(5, 0)]


# Bytes of a day


def test_stored_bytes_are_counted_by_project_and_day_of_receipt(writer: Writer) -> None:
    before, after = record("a", at_ms=day_of(T0) - 1), record("b")
    other = record("c", project_id=2)

    done = writer.put(before, after, other)

    today = day_of(T0)
    assert {tuple(total) for total in done.day_totals} == {
        (1, today - DAY_MS, len(before[1])),
        (1, today, len(after[1])),
        (2, today, len(other[1])),
    }
    assert writer.put(after).day_totals == [(1, today, 2 * len(after[1]))]


def test_a_spent_day_is_known_until_midnight_and_is_news_once(writer: Writer) -> None:
    size = len(record()[1])
    spending = day_bytes.Spending(2 * size)

    assert not spending.is_news(writer.put(record()).day_totals)
    assert day_bytes.spent_until(writer.db, T0, 2 * size) == {}
    assert spending.is_news(writer.put(record()).day_totals)
    assert not spending.is_news(writer.put(record()).day_totals)

    assert day_bytes.spent_until(writer.db, T0, 2 * size) == {1: day_of(T0) + DAY_MS}
    assert day_bytes.spent_until(writer.db, T0 + DAY_MS, 2 * size) == {}
    assert day_bytes.spent_until(writer.db, T0, 0) == {}
