"""Old events become records, old user keys become integers: what 0011_rows.sql made room for.

Moved rather than read as they are: every reader would know two layouts for as long as the oldest event is kept, and the
new one takes a quarter of the room. Ids stay what they were, of issues and of events, and each old issue's fingerprint
gets its issue's id.
"""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from bloop.records import event_record
from bloop.records.dictionary import Dictionary, shipped
from bloop.records.event import Event
from bloop.records.event_record import START, read_start, with_dims

EVENTS_AT_ONCE = 1000  # encoded between two looks at the old table

_INSERT_DICTIONARY = "INSERT INTO dictionaries VALUES (?, ?, 'shipped', unixepoch() * 1000)"
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
_INSERT_DIMS = """
INSERT OR IGNORE INTO event_dims (project_id, dims)
SELECT ?, ? WHERE (SELECT count(*) FROM event_dims) < 20000
"""
_SELECT_DIMS = "SELECT id FROM event_dims WHERE project_id = ? AND dims = ?"
_INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"
_MOVE_REST = """
INSERT INTO events_by_fingerprint
SELECT fingerprint_id, timestamp_ms, id FROM events WHERE id <= (SELECT event_id FROM settled) ORDER BY 1, 2, 3;
INSERT INTO issue_users SELECT issue_id, cut_user_key(user_key) AS user_key FROM issue_users_before ORDER BY 1, 2;
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

CREATE INDEX aggregates_by_last_seen
    ON aggregates (project_id, last_seen_ms, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_events
    ON aggregates (project_id, event_count, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_first_seen
    ON aggregates (project_id, first_seen_ms, status, id, release, environment, issue_id);
CREATE INDEX aggregates_by_release ON aggregates (project_id, release);
CREATE INDEX aggregates_by_environment ON aggregates (project_id, environment);
CREATE INDEX aggregates_by_issue ON aggregates (issue_id, release, environment);

CREATE TRIGGER issues_counted_on_status AFTER UPDATE OF status ON issues WHEN new.status <> old.status BEGIN
    UPDATE status_counts SET issue_count = issue_count - 1
     WHERE project_id = old.project_id AND status = old.status;
    INSERT INTO status_counts VALUES (new.project_id, new.status, 1)
        ON CONFLICT DO UPDATE SET issue_count = issue_count + 1;
    UPDATE aggregates SET status = new.status WHERE issue_id = new.id;
END;
CREATE TRIGGER issues_deleted AFTER DELETE ON issues BEGIN
    UPDATE deleted_issues SET count = count + 1;
END;
CREATE TRIGGER fingerprints_deleted AFTER DELETE ON fingerprints BEGIN
    DELETE FROM events WHERE id IN (SELECT event_id FROM events_by_fingerprint WHERE fingerprint_id = old.id);
    DELETE FROM events_by_fingerprint WHERE fingerprint_id = old.id;
    DELETE FROM issue_users WHERE fingerprint_id = old.id;
    DELETE FROM hourly_counts WHERE fingerprint_id = old.id;
END;
"""


def move(db: apsw.Connection) -> None:
    dictionary = shipped()
    db.execute(_INSERT_DICTIONARY, (dictionary.id, dictionary.content))
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
    db.create_scalar_function("cut_user_key", _cut_user_key, 1, deterministic=True)
    db.execute(_MOVE_REST)
    db.create_scalar_function("cut_user_key", None, 1)


def _old_events(db: apsw.Connection) -> Iterator[list[tuple[object, ...]]]:
    after_id: apsw.SQLiteValue = 0
    while rows := db.execute(_SELECT_EVENTS, (after_id, EVENTS_AT_ONCE)).fetchall():
        yield rows
        after_id = rows[-1][0]


class _DimsIds(dict[tuple[int, bytes], int]):
    """By project and dims; 0 where the table is full."""

    def __init__(self, db: apsw.Connection) -> None:
        super().__init__()
        self._db = db

    def __missing__(self, key: tuple[int, bytes]) -> int:
        self._db.execute(_INSERT_DIMS, key)
        row = self._db.execute(_SELECT_DIMS, key).fetchone()
        if row is None:
            return 0
        self[key] = row[0]
        return int(row[0])


def _new_event(row: tuple[object, ...], dims_ids: _DimsIds, dictionary: Dictionary) -> tuple[object, ...]:
    event_id, fingerprint_id, project_id, received_at_ms, fingerprint, *fields = row
    event = Event(*fields)  # type: ignore[arg-type]
    # The body says nothing of the algorithm that the fingerprint's row does not say.
    record = event_record.encode(0, 0, str(fingerprint), event_record.FINGERPRINT_BY_CLIENT, event, dictionary)
    body_at = START.size + read_start(record).dims_bytes
    dims_id = dims_ids[int(project_id), record[START.size : body_at]]  # type: ignore[call-overload]
    body = record[body_at:] if dims_id else with_dims(record)
    return event_id, fingerprint_id, event.timestamp_ms, received_at_ms, dims_id, body


def _cut_user_key(*before: apsw.SQLiteValue) -> int:
    (key,) = before
    assert isinstance(key, bytes)
    return int.from_bytes(key[:8], "big", signed=True) or 1
