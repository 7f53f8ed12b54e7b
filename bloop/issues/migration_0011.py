"""Old events become records, old user keys become integers: what 0011_rows.sql made room for.

Moved rather than read as they are: every reader would know two layouts for as long as the oldest event is kept, and the
new one takes a quarter of the room. Ids stay what they were, of issues and of events, and each old issue's fingerprint
gets its issue's id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bloop.base import clock
from bloop.db.engine import Db
from bloop.pipeline import dictionaries
from bloop.records import event_record
from bloop.records.dictionary import Dictionary, shipped
from bloop.records.event import Event
from bloop.records.event_record import START, read_start, with_dims

EVENTS_AT_ONCE = 1000  # encoded between two looks at the old table
DIMS_MAX = 20_000  # as the writer has it

_SELECT_ISSUES = "SELECT id, project_id, fingerprint, fingerprint_algorithm FROM issues"
_INSERT_FINGERPRINT = """
INSERT INTO fingerprints (id, project_id, hash, fingerprint, algorithm, issue_id) VALUES (?, ?, ?, ?, ?, ?)
"""
_SELECT_EVENTS = """
SELECT e.id, e.issue_id, e.project_id, e.received_at_ms, i.fingerprint,
       e.timestamp_ms, e.source, e.environment, e.release, e.error_type, e.message, e.stack, e.route, e.screen,
       e.http_status, e.request_id, e.user_id_hash, e.device_id_hash, e.app_version, e.build_number, e.metadata, e.level
  FROM events_before AS e JOIN issues AS i ON i.id = e.issue_id
 WHERE e.id > ?
 ORDER BY e.id
 LIMIT ?
"""
_INSERT_DIMS = "INSERT INTO event_dims (project_id, dims) VALUES (?, ?) RETURNING id"
_INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"
_SELECT_USERS = "SELECT issue_id, user_key FROM issue_users_before"
_INSERT_USER = "INSERT INTO issue_users VALUES (?, ?) ON CONFLICT DO NOTHING"
_MOVE_REST = """
INSERT INTO events_by_fingerprint
SELECT fingerprint_id, timestamp_ms, id FROM events WHERE id <= (SELECT event_id FROM settled) ORDER BY 1, 2, 3;
INSERT INTO hourly_counts
SELECT issue_id, hour_ms, '', environment, source, event_count FROM hourly_counts_before;
INSERT INTO project_hourly_counts
SELECT project_id, hour_ms, '', environment, source, event_count FROM project_hourly_counts_before;
INSERT INTO aggregates
SELECT id, project_id, issue_id, issue_id, release, environment, status, event_count, first_seen_ms, last_seen_ms
  FROM aggregates_before;

DROP TABLE events_before;
DROP TABLE issue_users_before;
DROP TABLE hourly_counts_before;
DROP TABLE project_hourly_counts_before;
DROP TABLE aggregates_before;
"""


def move(db: Db) -> None:
    dictionary = shipped()
    dictionaries.add(db, dictionary, origin="shipped", now_ms=clock.now_ms())
    db.executemany(
        _INSERT_FINGERPRINT,
        (
            (issue_id, project_id, event_record.fingerprint_number(str(fingerprint)), fingerprint, algorithm, issue_id)
            for issue_id, project_id, fingerprint, algorithm in db.execute(_SELECT_ISSUES).fetchall()
        ),
    )
    dims_ids = _DimsIds(db)
    for rows in _old_events(db):
        db.executemany(_INSERT_EVENT, [_new_event(row, dims_ids, dictionary) for row in rows])
    users = db.execute(_SELECT_USERS)
    db.executemany(_INSERT_USER, ((issue_id, _cut(user_key)) for issue_id, user_key in users))
    db.execute(_MOVE_REST)


def _old_events(db: Db) -> Iterator[list[tuple[object, ...]]]:
    after_id: Any = 0
    while rows := db.execute(_SELECT_EVENTS, (after_id, EVENTS_AT_ONCE)).fetchall():
        yield rows
        after_id = rows[-1][0]


class _DimsIds(dict[tuple[int, bytes], int]):
    """By project and dims; 0 where the table is full."""

    def __init__(self, db: Db) -> None:
        super().__init__()
        self._db = db

    def __missing__(self, key: tuple[int, bytes]) -> int:
        if len(self) >= DIMS_MAX:
            return 0
        dims_id = self[key] = int(self._db.execute(_INSERT_DIMS, key).get or 0)
        return dims_id


def _new_event(row: tuple[object, ...], dims_ids: _DimsIds, dictionary: Dictionary) -> tuple[object, ...]:
    event_id, fingerprint_id, project_id, received_at_ms, fingerprint, *fields = row
    event = Event(*fields)  # type: ignore[arg-type]
    # The body says nothing of the algorithm that the fingerprint's row does not say.
    record = event_record.encode(0, 0, str(fingerprint), event_record.FINGERPRINT_BY_CLIENT, event, dictionary)
    body_at = START.size + read_start(record).dims_bytes
    dims_id = dims_ids[int(project_id), record[START.size : body_at]]  # type: ignore[call-overload]
    body = record[body_at:] if dims_id else with_dims(record)
    return event_id, fingerprint_id, event.timestamp_ms, received_at_ms, dims_id, body


def _cut(user_key: bytes) -> int:
    """The upper half of the sixteen bytes, as the record has it from now on: people stay the same people."""
    return int.from_bytes(user_key[:8], "big", signed=True) or 1
