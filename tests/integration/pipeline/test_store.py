"""STORE-1 to STORE-6 of bloop/pipeline/store.py, and the rows that a batch leaves, on real SQLite files."""

from __future__ import annotations

from typing import NamedTuple

import apsw
import msgspec
import pytest

from bloop.base.clock import HOUR_MS, MINUTE_MS
from bloop.base.outcomes import Category, Outcome
from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.issues import kind
from bloop.issues.events import store as events
from bloop.pipeline import dictionaries
from bloop.pipeline.store import Store
from bloop.projects import store as projects
from bloop.records import event_record
from bloop.records.dictionary import Dictionary
from bloop.records.event import Event
from bloop.records.event_record import START
from bloop.records.record import EVENT_FORM, Kind, encode_event, form
from tests.stored import stored_events

T0 = 1_760_000_400_000  # a whole hour and a whole minute
RING = 7
PLAIN = {
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


class FakeCell(NamedTuple):
    lane: int
    project_id: int
    category: int
    outcome: int
    value: int


def record(fingerprint="aa", *, at_ms=T0, project_id=1, lane=0, **fields):
    return EVENT_FORM, encode_event(project_id, at_ms, fingerprint, "v1", Event(**(PLAIN | fields))), lane


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "bloop.db"
    migrate.migrate(path, T0)
    return path


@pytest.fixture
def db(path):
    db = connection.open_writer(path)
    with connection.immediate(db):
        projects.ensure_default_project(db, "s" * 40, T0)
        projects.create_project(db, name="Shop", slug="shop", now_ms=T0)
    yield db
    db.close()


@pytest.fixture
def store(db):
    return Store(db, RING, make_kinds(db))


def put(store, *records, position=64, cells=(), now_ms=T0, settle=True):
    return store.store(list(records), {0: position}, list(cells), now_ms=now_ms, settle=settle)


def rows(db, sql):
    return db.execute(sql).fetchall()


def totals(db):
    found = rows(db, "SELECT project_id, outcome, count FROM ledger_totals")
    return {(project, Outcome(outcome)): count for project, outcome, count in found}


class TestIssues:
    def test_equal_fingerprints_become_one_issue_with_exact_counts(self, store, db):
        put(store, record(at_ms=T0), record(at_ms=T0 + 5), record("bb", at_ms=T0 + 9))
        put(store, record(at_ms=T0 + 20))

        found = rows(db, "SELECT fingerprint, event_count, first_seen_ms, last_seen_ms, short_number FROM issues")
        assert found == [("aa", 3, T0, T0 + 20, 1), ("bb", 1, T0 + 9, T0 + 9, 2)]
        assert rows(db, "SELECT count(*) FROM events") == [(4,)]

    def test_the_same_fingerprint_in_two_projects_is_two_issues(self, store, db):
        put(store, record(project_id=1), record(project_id=2))

        assert rows(db, "SELECT project_id, short_number FROM issues ORDER BY 1") == [(1, 1), (2, 1)]

    def test_users_are_counted_once_each_over_batches_and_devices_stand_in_for_nobody(self, store, db):
        put(store, record(user_id_hash="u1"), record(user_id_hash="u1"), record(user_id_hash="u2"))
        put(store, record(user_id_hash="u2"), record(device_id_hash="d1"), record(device_id_hash="d1"), record())
        put(store, record(user_id_hash="d1"))  # a user who happens to be called like a device

        assert rows(db, "SELECT user_count FROM issues") == [(4,)]

    def test_aggregates_hours_routes_and_releases_add_up(self, store, db):
        put(
            store,
            record(release="1", route="/a", at_ms=T0),
            record(release="1", route="/a", at_ms=T0 + HOUR_MS),
            record(release="2", environment="staging", source="ios", at_ms=T0),
        )
        put(store, record(release="1", route="/b", at_ms=T0 + 2))

        assert rows(db, "SELECT release, environment, event_count, first_seen_ms, last_seen_ms FROM aggregates") == [
            ("1", "production", 3, T0, T0 + HOUR_MS),
            ("2", "staging", 1, T0, T0),
        ]
        hours = [(T0, "production", "api", 2), (T0, "staging", "ios", 1), (T0 + HOUR_MS, "production", "api", 1)]
        assert rows(db, "SELECT hour_ms, environment, source, event_count FROM hourly_counts") == hours
        assert rows(db, "SELECT hour_ms, environment, source, event_count FROM project_hourly_counts") == hours
        assert rows(db, "SELECT route, event_count FROM route_counts ORDER BY 1") == [("/a", 2), ("/b", 1)]
        assert rows(db, "SELECT release, environment, event_count FROM releases") == [
            ("1", "production", 3),
            ("2", "staging", 1),
        ]

    def test_minutes_add_up_to_the_hours_also_when_they_are_counted_late(self, store, db):
        minute, late = T0 + 60_000, record(at_ms=T0 + 59_999)
        put(
            store, record(at_ms=T0), record(at_ms=minute + 1), record(at_ms=minute, environment="staging"), settle=False
        )
        put(store, late)
        put(store, record(at_ms=minute + 2))

        assert rows(db, "SELECT minute_ms, environment, event_count FROM minute_counts ORDER BY 1, 2") == [
            (T0, "production", 2),
            (minute, "production", 2),
            (minute, "staging", 1),
        ]
        assert rows(db, "SELECT sum(event_count) FROM minute_counts") == rows(
            db, "SELECT sum(event_count) FROM hourly_counts"
        )

    def test_a_lane_drained_late_does_not_move_last_seen_back(self, store, db):
        put(store, record(at_ms=T0 + 100), record(at_ms=T0 + 50))
        put(store, record(at_ms=T0 + 10))

        assert rows(db, "SELECT first_seen_ms, last_seen_ms FROM issues") == [(T0 + 50, T0 + 100)]

    def test_a_new_issue_is_told_once(self, store, db):
        put(store, record(), record())
        put(store, record())

        assert rows(db, "SELECT kind, project_id, issue_id FROM signals") == [("issue.new", 1, 1)]

    def test_every_field_of_an_event_is_stored(self, store, db):
        full = PLAIN | {
            "stack": "at f (a.js:1)",
            "route": "/r",
            "screen": "Home",
            "http_status": 500,
            "request_id": "req",
            "user_id_hash": "u",
            "device_id_hash": "d",
            "app_version": "1",
            "build_number": "2",
            "metadata": '{"k":1}',
            "level": "fatal",
        }
        put(store, record(at_ms=T0 + 1, **full))

        (stored,) = stored_events(db)
        assert {name: getattr(stored, name) for name in full} == full
        assert stored.received_at_ms == T0 + 1


class TestStatus:
    def resolve(self, db, at_ms=T0, status="resolved"):
        db.execute("UPDATE issues SET status = ?, resolved_at_ms = ?", (status, at_ms))

    def test_a_resolved_issue_that_happens_again_is_regressed_with_an_audit_row_and_a_signal(self, store, db):
        put(store, record(release="1"))
        self.resolve(db)

        put(store, record(release="2", at_ms=T0 + 5))

        assert rows(db, "SELECT status, times_regressed, resolved_at_ms FROM issues") == [("regressed", 1, None)]
        assert rows(db, "SELECT status FROM aggregates") == [("regressed",), ("regressed",)]
        assert rows(db, "SELECT old_status, new_status, changed_via, release, changed_at_ms FROM status_changes") == [
            ("resolved", "regressed", "ingest", "2", T0 + 5)
        ]
        assert rows(db, "SELECT kind FROM signals") == [("issue.new",), ("issue.regressed",)]

    @pytest.mark.parametrize("status", ["muted", "ignored", "regressed", "unresolved"])
    def test_other_states_stay_as_they_are(self, store, db, status):
        put(store, record())
        self.resolve(db, status=status)

        put(store, record(at_ms=T0 + 5), record(at_ms=T0 + 5, release="9", environment="new"))

        assert rows(db, "SELECT status, times_regressed, event_count FROM issues") == [(status, 0, 3)]
        assert rows(db, "SELECT DISTINCT status FROM aggregates") == [(status,)]
        assert rows(db, "SELECT count(*) FROM status_changes") == [(0,)]

    def test_an_event_that_waited_in_the_ring_does_not_reopen_what_was_resolved_meanwhile(self, store, db):
        put(store, record())
        self.resolve(db, at_ms=T0 + 1000)

        put(store, record(at_ms=T0 + 999))

        assert rows(db, "SELECT status, event_count FROM issues") == [("resolved", 2)]

    def test_status_counts_follow_every_change(self, store, db):
        put(store, record("a"), record("b"), record("c", project_id=2))
        db.execute("UPDATE issues SET status = 'resolved', resolved_at_ms = 0 WHERE fingerprint = 'a'")
        put(store, record("a"))
        db.execute("DELETE FROM issues WHERE fingerprint = 'b'")

        found = rows(db, "SELECT project_id, status, issue_count FROM status_counts WHERE issue_count > 0")
        assert found == [(1, "regressed", 1), (2, "unresolved", 1)]


class TestExactlyOnce:
    def test_positions_commit_with_the_records_and_are_found_again(self, store, db):
        put(store, record(), position=640)

        assert Store(db, RING, make_kinds(db)).positions() == {0: 640}
        assert Store(db, RING + 1, make_kinds(db)).positions() == {}

    def test_a_batch_the_disk_refuses_leaves_nothing_and_can_be_stored_again(self, store, db):
        put(store, record("old"), position=64)
        pages = db.pragma("page_count")
        db.pragma("max_page_count", pages)

        with pytest.raises(apsw.FullError):
            put(store, *[record(f"f{n}", stack="x" * 8000) for n in range(50)], position=128)
        assert rows(db, "SELECT count(*) FROM events") == [(1,)]
        assert store.positions() == {0: 64}

        db.pragma("max_page_count", 1_000_000)
        put(store, *[record(f"f{n}", stack="x" * 8000) for n in range(50)], position=128)
        assert rows(db, "SELECT count(*), count(DISTINCT fingerprint) FROM issues") == [(51, 51)]
        assert rows(db, "SELECT count(*) FROM events") == [(51,)]
        assert totals(db) == {(1, Outcome.STORED): 51}

    def test_a_locked_database_is_reported_and_nothing_is_half_done(self, store, db, path):
        db.set_busy_timeout(1)
        other = connection.open_control(path)

        with connection.immediate(other), pytest.raises(apsw.BusyError):
            put(store, record())

        other.close()
        assert put(store, record()).events == 1

    def test_an_issue_deleted_behind_our_back_is_made_again(self, store, db, path):
        put(store, record(), record("other"))
        other = connection.open_control(path)
        other.execute("DELETE FROM issues WHERE fingerprint = 'aa'")
        other.close()

        put(store, record(), record("other"))

        assert rows(db, "SELECT fingerprint, event_count FROM issues ORDER BY 1") == [("aa", 1), ("other", 2)]
        assert rows(db, "SELECT count(*) FROM events WHERE fingerprint_id NOT IN (SELECT id FROM fingerprints)") == [
            (0,)
        ]
        assert rows(db, "SELECT id FROM events ORDER BY 1") == rows(
            db, "SELECT event_id FROM events_by_fingerprint ORDER BY 1"
        )


COUNTERS = (
    "SELECT fingerprint, status, event_count, user_count, last_seen_ms, last_release FROM issues ORDER BY id",
    "SELECT release, environment, event_count, first_seen_ms, last_seen_ms FROM aggregates ORDER BY 1, 2",
    "SELECT * FROM hourly_counts",
    "SELECT * FROM project_hourly_counts",
    "SELECT * FROM route_counts",
    "SELECT * FROM releases",
    "SELECT project_id, status, issue_count FROM status_counts",
)


class TestSettling:
    """Events first, their counts a little later (STORE-5): whatever happens in between, the sums are the same."""

    FIRST = [
        record("a", user_id_hash="u1", route="/x", at_ms=T0 + 3),
        record("b", user_id_hash="u1", release="2", at_ms=T0 + 1),
    ]
    SECOND = [
        record("a", user_id_hash="u1", at_ms=T0 + 4),
        record("a", user_id_hash="u2", environment="staging", at_ms=T0 + HOUR_MS),
        record("c", device_id_hash="d"),
    ]

    def counters(self, db):
        return [rows(db, sql) for sql in COUNTERS]

    @pytest.fixture
    def expected(self, tmp_path):
        path = tmp_path / "expected.db"
        migrate.migrate(path, T0)
        db = connection.open_writer(path)
        projects.ensure_default_project(db, "s" * 40, T0)
        store = Store(db, RING, make_kinds(db))
        put(store, *self.FIRST)
        put(store, *self.SECOND)
        yield self.counters(db)
        db.close()

    def test_counts_wait_and_then_are_what_they_would_have_been(self, store, db, expected):
        put(store, *self.FIRST, settle=False)
        put(store, *self.SECOND, settle=False)
        assert (store.unsettled, rows(db, "SELECT count(*) FROM events")) == (5, [(5,)])
        assert rows(db, "SELECT sum(event_count) FROM issues") == [(0,)]

        put(store)

        assert store.unsettled == 0
        assert self.counters(db) == expected

    @pytest.mark.parametrize("settled_before", [False, True])
    def test_a_writer_killed_before_counting_counts_at_its_next_start(self, store, db, expected, settled_before):
        put(store, *self.FIRST, settle=settled_before)
        put(store, *self.SECOND, settle=False)

        successor = Store(db, RING, make_kinds(db))
        put(successor)
        put(Store(db, RING, make_kinds(db)))

        assert self.counters(db) == expected

    def test_a_settling_the_disk_refuses_is_made_up_for(self, store, db, expected, monkeypatch):
        put(store, *self.FIRST, settle=False)

        def refuse(*_):
            raise apsw.FullError("disk full")

        with monkeypatch.context() as patch, pytest.raises(apsw.FullError):
            patch.setattr("bloop.issues.counts.store.add", refuse)
            put(store, *self.SECOND)

        put(store, *self.SECOND)
        assert self.counters(db) == expected

    def test_an_issue_deleted_before_its_events_were_counted_is_left_out(self, store, db, path):
        put(store, record("a", user_id_hash="u"), record("b", user_id_hash="u"), settle=False)
        other = connection.open_control(path)
        other.execute("DELETE FROM issues WHERE fingerprint = 'a'")
        other.close()

        put(store, record("b"))

        assert rows(db, "SELECT fingerprint, event_count, user_count FROM issues") == [("b", 2, 1)]
        assert rows(db, "SELECT event_count FROM aggregates") == [(2,)]

    def test_ids_given_again_after_a_deletion_are_still_counted_after_a_crash(self, store, db, path):
        put(store, record("a"), record("b"), record("b"))
        other = connection.open_control(path)
        other.execute("DELETE FROM issues WHERE fingerprint = 'b'")  # the newest events go, their ids are free again
        other.close()

        put(store, record("a"), settle=False)
        put(Store(db, RING, make_kinds(db)))

        assert rows(db, "SELECT fingerprint, event_count FROM issues") == [("a", 2)]

    def test_a_resolved_issue_is_reopened_when_its_events_are_counted(self, store, db):
        put(store, record("a"))
        db.execute("UPDATE issues SET status = 'resolved', resolved_at_ms = ?", (T0,))

        put(store, record("a", at_ms=T0 + 1), settle=False)
        put(store)

        assert rows(db, "SELECT status, event_count FROM issues") == [("regressed", 2)]
        assert rows(db, "SELECT kind FROM signals") == [("issue.new",), ("issue.regressed",)]


class TestDeadLetters:
    def test_a_record_that_does_not_decode_is_kept_aside_and_its_neighbours_are_stored(self, store, db):
        done = put(store, record(), (Kind.EVENT, b"\xc1 not a record", 0), (99, b"\x91\x02", 0), record("bb"))

        assert (done.events, done.dead) == (2, 2)
        letters = rows(db, "SELECT project_id, record_kind, payload FROM dead_letters")
        assert letters == [(0, 1, b"\xc1 not a record"), (2, 99, b"\x91\x02")]
        assert totals(db)[2, Outcome.DEAD_LETTER] == 1

    def test_a_record_that_cannot_be_stored_is_kept_aside_and_its_neighbours_are_stored(self, store, db, monkeypatch):
        def refuse(record):
            if record.event.message == "poison":
                raise ValueError("cannot bind this")

        monkeypatch.setattr(kind, "culprit_of", refuse)
        done = put(store, record("a"), record("b", message="poison"), record("c"))

        assert (done.events, done.dead) == (2, 1)
        assert rows(db, "SELECT fingerprint, event_count FROM issues") == [("a", 1), ("c", 1)]
        assert rows(db, "SELECT project_id, reason FROM dead_letters") == [(1, "ValueError: cannot bind this")]
        assert totals(db) == {(1, Outcome.STORED): 2, (1, Outcome.DEAD_LETTER): 1}

    def test_records_of_a_deleted_project_are_counted_not_stored(self, store, db):
        done = put(store, record(), record(project_id=77))

        assert (done.events, done.discarded) == (1, 1)
        assert totals(db)[77, Outcome.DISCARDED] == 1

    def test_dead_letters_are_bounded(self, store, db, monkeypatch):
        monkeypatch.setattr("bloop.pipeline.dead_letters.ROWS_MAX", 3)
        put(store, *[(99, b"\x91\x01", 0)] * 10)

        assert rows(db, "SELECT count(*) FROM dead_letters") == [(3,)]
        assert totals(db) == {(1, Outcome.DEAD_LETTER): 10}


class TestLedger:
    def test_shared_counters_are_booked_as_differences(self, store, db):
        cell = FakeCell(0, 1, Category.EVENT, Outcome.INVALID, 5)
        put(store, cells=[cell])
        put(store, cells=[cell._replace(value=7)], now_ms=T0 + MINUTE_MS)
        put(store, cells=[cell._replace(value=7)], now_ms=T0 + 2 * MINUTE_MS)

        booked = rows(db, "SELECT minute_ms, project_id, outcome, count FROM ledger")
        assert booked == [(T0, 1, Outcome.INVALID, 5), (T0 + MINUTE_MS, 1, Outcome.INVALID, 2)]
        assert totals(db) == {(1, Outcome.INVALID): 7}

    def test_a_writer_that_restarts_books_nothing_twice(self, store, db):
        cells = [FakeCell(0, 1, Category.EVENT, Outcome.INVALID, 5), FakeCell(1, 1, Category.EVENT, Outcome.INVALID, 1)]
        put(store, cells=cells)

        put(Store(db, RING, make_kinds(db)), cells=cells)

        assert totals(db) == {(1, Outcome.INVALID): 6}

    def test_stored_events_are_booked_in_the_minute_they_were_received(self, store, db):
        put(store, record(at_ms=T0), record(at_ms=T0 + MINUTE_MS), now_ms=T0 + 5 * MINUTE_MS)

        assert rows(db, "SELECT minute_ms, count FROM ledger") == [(T0, 1), (T0 + MINUTE_MS, 1)]

    def test_what_a_dead_producer_left_unanswered_is_booked_as_interrupted_once(self, store, db):
        received = [
            FakeCell(0, 1, Category.EVENT, Outcome.RECEIVED, 5),
            FakeCell(0, 1, Category.EVENT, Outcome.INVALID, 1),
        ]
        put(store, record(), record(), cells=received)  # 5 received = 2 stored + 1 invalid + 2 unaccounted for

        assert store.settle_dead_lanes([0], T0) == 2
        assert store.settle_dead_lanes([0], T0) == 0
        assert Store(db, RING, make_kinds(db)).settle_dead_lanes([0], T0) == 0

        balance = totals(db)
        assert balance.pop((1, Outcome.RECEIVED)) == sum(balance.values()) == 5

    def test_a_living_lane_is_left_alone(self, store, db):
        put(store, cells=[FakeCell(0, 1, Category.EVENT, Outcome.RECEIVED, 5)])

        assert store.settle_dead_lanes([1, 2], T0) == 0

    def test_every_category_balances_by_itself(self, store, db):
        """A session that this writer cannot store is missing from the sessions, never from the events."""
        session = (Kind.SESSION, msgspec.msgpack.encode([1, T0]), 0)
        newer = (form(Kind.EVENT, 9), msgspec.msgpack.encode([1, T0]), 0)
        cells = [
            FakeCell(0, 1, Category.EVENT, Outcome.RECEIVED, 3),
            FakeCell(0, 1, Category.SESSION, Outcome.RECEIVED, 2),
            FakeCell(0, 1, Category.TRACE, Outcome.RECEIVED, 1),
            FakeCell(0, 1, Category.TRACE, Outcome.INVALID, 1),
        ]

        put(store, record(), session, newer, cells=cells)

        assert store.settle_dead_lanes([0], T0) == 2
        assert set(rows(db, "SELECT category, outcome, count FROM ledger_totals")) == {
            *((Category.EVENT, Outcome.RECEIVED, 3), (Category.EVENT, Outcome.STORED, 1)),
            *((Category.EVENT, Outcome.DEAD_LETTER, 1), (Category.EVENT, Outcome.INTERRUPTED, 1)),
            *((Category.SESSION, Outcome.RECEIVED, 2), (Category.SESSION, Outcome.DEAD_LETTER, 1)),
            (Category.SESSION, Outcome.INTERRUPTED, 1),
            *((Category.TRACE, Outcome.RECEIVED, 1), (Category.TRACE, Outcome.INVALID, 1)),
        }
        assert rows(db, "SELECT reason FROM dead_letters ORDER BY id") == [
            ("record kind 3 is not known to this writer",),
            ("event record of version 9 is not known to this release",),
        ]

    def test_dead_and_discarded_records_balance_too(self, store, db):
        put(
            store,
            record(),
            (99, b"\x91\x01", 0),
            record(project_id=77),
            cells=[
                FakeCell(0, 1, Category.EVENT, Outcome.RECEIVED, 2),
                FakeCell(0, 77, Category.EVENT, Outcome.RECEIVED, 1),
            ],
        )

        assert store.settle_dead_lanes([0], T0) == 0
        assert totals(db)[1, Outcome.RECEIVED] == totals(db)[1, Outcome.STORED] + totals(db)[1, Outcome.DEAD_LETTER]


class TestFingerprints:
    def test_texts_with_one_number_are_two_issues(self, store, db):
        """A client can craft texts that share their 64 bits: what decides is the text."""
        number_at = START.size - 18  # before the user key and the length of the dims

        def crafted(text):
            number, payload, lane = record(text)
            return number, payload[:number_at] + b"\5" * 8 + payload[number_at + 8 :], lane

        put(store, crafted("first"), crafted("second"))
        put(Store(db, RING, make_kinds(db)), crafted("second"), record("05" * 8))

        found = rows(db, "SELECT fingerprint, event_count FROM issues ORDER BY id")
        assert found == [("first", 1), ("second", 2), ("0505050505050505", 1)]
        assert rows(db, "SELECT DISTINCT hash FROM fingerprints") == [(0x0505050505050505,)]

    def test_events_of_an_issue_deleted_before_they_were_counted_go_with_it(self, store, db, path):
        put(store, record("a"), record("b"))
        put(store, record("a"), record("b"), settle=False)
        other = connection.open_control(path)
        other.execute("DELETE FROM issues WHERE fingerprint = 'a'")
        other.close()

        put(store, record("b"))

        assert rows(db, "SELECT fingerprint, event_count FROM issues") == [("b", 3)]
        assert rows(db, "SELECT count(*) FROM events") == [(3,)]
        assert rows(db, "SELECT count(*) FROM events_by_fingerprint") == [(3,)]

    def test_events_are_on_pages_once_they_are_counted_in_the_order_of_their_own_time(self, store, db):
        put(store, record("a", timestamp_ms=T0 + 5), record("b"), record("a", timestamp_ms=T0 + 3), settle=False)
        assert rows(db, "SELECT count(*) FROM events_by_fingerprint") == [(0,)]

        put(store)

        keys = (
            "SELECT k.fingerprint_id, k.timestamp_ms, k.event_id, k.lag_ms, k.dims_id > 0, k.user_key <> 0"
            "  FROM events_by_fingerprint AS k JOIN fingerprints AS f ON f.id = k.fingerprint_id"
        )
        assert rows(db, f"{keys} WHERE f.fingerprint = 'a'") == [
            (1, T0 + 3, 3, -3, 1, 0),
            (1, T0 + 5, 1, -5, 1, 0),
        ]


class TestDims:
    def test_dims_that_do_not_fit_the_table_stay_with_their_events(self, store, db, monkeypatch):
        monkeypatch.setattr(events, "DIMS_MAX", 2)

        put(store, *[record("a", release=f"1.{n}") for n in range(4)])
        put(Store(db, RING, make_kinds(db)), record("a", release="1.0"), record("a", release="9"))

        assert rows(db, "SELECT count(*) FROM event_dims") == [(2,)]
        assert [event.release for event in stored_events(db)] == ["1.0", "1.1", "1.2", "1.3", "1.0", "9"]
        keys = "SELECT dims_id > 0 FROM events_by_fingerprint ORDER BY event_id"
        assert [row[0] for row in rows(db, keys)] == [1, 1, 0, 0, 1, 0]

    def test_what_cannot_be_counted_later_is_not_stored(self, store, db):
        number, payload, lane = record()
        broken = payload[: START.size] + b"\xc1" + payload[START.size + 1 :]

        done = put(store, (number, broken, lane), record("b"))

        assert (done.events, done.dead) == (1, 1)


class TestOlderRecords:
    def test_records_of_the_version_before_are_stored_like_todays(self, store, db):
        fields = PLAIN | {"stack": "at f (a.js:1)", "user_id_hash": "u1", "route": "/r"}
        event = [fields[name] for name in Event.__struct_fields__[:17]]
        before = (form(Kind.EVENT, 0), msgspec.msgpack.encode([1, T0, "aa", "v1", event]), 0)

        done = put(store, before, record("aa", **fields), before)

        assert (done.events, done.dead) == (3, 0)
        assert rows(db, "SELECT fingerprint, event_count, user_count FROM issues") == [("aa", 3, 1)]
        first, second, third = stored_events(db)
        assert first._replace(id=0) == second._replace(id=0) == third._replace(id=0)

    def test_an_event_whose_dictionary_is_missing_is_a_dead_letter(self, store, db):
        other = Dictionary(b"    at nowhere (/app/unknown.js:1:1)\n" * 20)
        event = Event(**PLAIN | {"stack": "    at nowhere (/app/unknown.js:1:1)\n" * 9})
        payload = event_record.encode(1, T0, "aa", "v1", event, other)

        done = put(store, (EVENT_FORM, payload, 0), record("b"))
        assert (done.events, done.dead) == (1, 1)
        dictionaries.add(db, other, origin="trained", now_ms=T0)

        done = put(store, (EVENT_FORM, payload, 0))
        assert (done.events, done.dead) == (1, 0)
        assert stored_events(db)[1].stack == event.stack
