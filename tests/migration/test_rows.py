"""0011_rows.sql and bloop/issues/migration_0011.py: events become records, and nothing of them changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest
import xxhash

from bloop.db import connection, migrate
from bloop.features import make_kinds
from bloop.issues.counts.read import issue_trend, project_trend
from bloop.issues.events.read import list_events
from bloop.pipeline.store import Store
from bloop.records.event import Event
from bloop.records.record import EVENT_FORM, encode_event
from tests.stored import stored_events

T0 = 1_760_000_400_000
FINGERPRINTS = ("00000000000000aa", "chosen by a client", "F" * 16)

_PROJECT = """
INSERT INTO projects (id, public_id, slug, name, api_key, short_prefix, next_short_number, created_at_ms)
VALUES (3, 'p', 'p', 'p', 'k', 'P', 9, 0)
"""
_ISSUE = """
INSERT INTO issues (id, project_id, fingerprint, fingerprint_algorithm, short_number, status, error_type, message,
                    source, event_count, user_count, first_seen_ms, last_seen_ms, first_release, last_release)
VALUES (?1, 3, ?2, ?3, ?1, 'muted', 'TypeError', 'boom', 'api', 2, 1, 0, 0, '1', '1')
"""
_EVENT = """
INSERT INTO events (id, issue_id, project_id, received_at_ms, {}) VALUES (?, ?, 3, ?, {})
"""


def plain_event(**fields: Any) -> dict[str, Any]:
    return {
        "timestamp_ms": T0,
        "source": "api",
        "environment": "production",
        "release": "1.0",
        "error_type": "TypeError",
        "message": "boom",
        **dict.fromkeys(("stack", "route", "screen", "http_status", "request_id", "user_id_hash", "device_id_hash")),
        **dict.fromkeys(("app_version", "build_number", "metadata")),
        "level": "error",
    } | fields


EVENTS = [
    plain_event(),
    plain_event(
        timestamp_ms=T0 - 5,
        release="2.0",
        environment="staging",
        message="at 7 \U0001f600",
        stack="TypeError: at 7\n    at f (/srv/a.js:1:2)\n" * 20,
        route="/r",
        screen="Home",
        http_status=500,
        request_id="req-1",
        user_id_hash="ab" * 16,
        device_id_hash="d",
        app_version="2.0",
        build_number="9",
        metadata='{"cart":5}',
        level="fatal",
    ),
    plain_event(device_id_hash="only a device"),
    plain_event(message="", metadata="not JSON at all", app_version="3"),
]


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """A database of the release before, whose last event was not counted yet."""
    path = tmp_path / "bloop.db"
    migrate.migrate(path, 1, migrate.shipped()[:10])
    db = connection.open_writer(path)
    db.execute(_PROJECT)
    for number, fingerprint in enumerate(FINGERPRINTS, 7):
        db.execute(_ISSUE, (number, fingerprint, "client" if number == 8 else "v1"))
        db.execute("INSERT INTO aggregates VALUES (?, 3, ?, '1', 'e', 'muted', 2, 0, 0)", (number * 10, number))
        for user in (b"u1", b"u2"):
            db.execute("INSERT INTO issue_users VALUES (?, ?)", (number, xxhash.xxh3_128_digest(user)))
        db.execute("INSERT INTO hourly_counts VALUES (?, ?, 'e', 'api', 4)", (number, T0))
        db.execute("INSERT INTO minute_counts VALUES (3, ?, ?, 'e', 'api', 4)", (T0, number))
    db.execute("INSERT INTO project_hourly_counts VALUES (3, ?, 'e', 'api', 12)", (T0,))
    statement = _EVENT.format(", ".join(EVENTS[0]), ", ".join("?" * len(EVENTS[0])))
    for number, event in enumerate(EVENTS):
        db.execute(statement, (100 + number, 7 + number % 3, T0 + number, *event.values()))
    db.execute("UPDATE settled SET event_id = 102")
    db.close()
    return path


@pytest.fixture
def db(before: Path):
    migrate.migrate(before, 2)
    db = connection.open_writer(before)
    yield db
    db.close()


def rows(db: apsw.Connection, sql: str) -> list[tuple[Any, ...]]:
    return list(db.execute(sql))


def test_events_are_what_they_were_under_the_same_ids(db: apsw.Connection) -> None:
    found = stored_events(db)

    assert [{name: getattr(row, name) for name in EVENTS[0]} for row in found] == EVENTS
    assert [(row.id, row.issue_id, row.project_id, row.received_at_ms) for row in found] == [
        (100 + number, 7 + number % 3, 3, T0 + number) for number in range(len(EVENTS))
    ]
    assert [row.fingerprint for row in found] == [*FINGERPRINTS, FINGERPRINTS[0]]


def test_pages_show_what_was_counted_and_the_rest_once_it_is(db: apsw.Connection) -> None:
    assert [row.id for row in list_events(db, [7], limit=9).rows] == [100]

    Store(db, 1, make_kinds(db)).store([], {}, [], now_ms=T0)

    assert [row.id for row in list_events(db, [7], limit=9).rows] == [103, 100]
    assert rows(db, "SELECT event_count FROM issues ORDER BY id") == [(3,), (2,), (2,)]


def test_counts_stay_and_hang_on_fingerprints(db: apsw.Connection) -> None:
    assert rows(db, "SELECT id, project_id, fingerprint, algorithm, issue_id FROM fingerprints ORDER BY id") == [
        (7, 3, FINGERPRINTS[0], "v1", 7),
        (8, 3, FINGERPRINTS[1], "client", 8),
        (9, 3, FINGERPRINTS[2], "v1", 9),
    ]
    assert [hour.event_count for hour in issue_trend(db, [7, 9], 0)] == [8]
    assert [hour.event_count for hour in project_trend(db, [3], 0)] == [12]
    assert rows(db, "SELECT sum(event_count), count(*) FROM minute_counts WHERE fingerprint_id = 8") == [(4, 1)]
    assert rows(db, "SELECT id, issue_id, fingerprint_id, status FROM aggregates ORDER BY id") == [
        (70, 7, 7, "muted"),
        (80, 8, 8, "muted"),
        (90, 9, 9, "muted"),
    ]


@pytest.mark.parametrize("fingerprint", FINGERPRINTS)
def test_new_events_join_the_old_issues_and_known_users_stay_known(db: apsw.Connection, fingerprint: str) -> None:
    store = Store(db, 1, make_kinds(db))
    store.store([], {}, [], now_ms=T0)
    (before,) = rows(db, f"SELECT event_count, user_count FROM issues WHERE fingerprint = '{fingerprint}'")
    events = [Event(**plain_event(user_id_hash=user)) for user in ("u1", "u2", "somebody new")]

    records = [(EVENT_FORM, encode_event(3, T0, fingerprint, "v1", event), 0) for event in events]
    store.store(records, {}, [], now_ms=T0)

    assert rows(db, "SELECT count(*) FROM issues") == [(3,)]
    after = rows(db, f"SELECT event_count, user_count FROM issues WHERE fingerprint = '{fingerprint}'")
    assert after == [(before[0] + 3, before[1] + 1)]


def test_a_status_still_reaches_the_lists(db: apsw.Connection) -> None:
    db.execute("UPDATE issues SET status = 'resolved' WHERE id = 8")

    assert rows(db, "SELECT status FROM aggregates WHERE issue_id = 8") == [("resolved",)]
    assert rows(db, "PRAGMA foreign_key_check") == []
    assert rows(db, "PRAGMA integrity_check") == [("ok",)]


def test_a_deleted_issue_takes_everything_with_it(db: apsw.Connection) -> None:
    Store(db, 1, make_kinds(db)).store([], {}, [], now_ms=T0)

    db.execute("DELETE FROM issues WHERE id = 7")

    assert [row.id for row in stored_events(db)] == [101, 102]
    for table in ("events_by_fingerprint", "issue_users", "hourly_counts", "aggregates"):
        assert rows(db, f"SELECT count(*) FROM {table} WHERE fingerprint_id = 7") == [(0,)], table
    assert rows(db, "SELECT count FROM deleted_issues") == [(1,)]
