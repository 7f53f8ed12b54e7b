"""Retention finds old rows without the write lock and deletes them a few at a time.

PRUNE-1  An event goes when it was received before its project's cut-off and is not among the newest `samples` of its
    fingerprint, newest as pages show them: by client time, then id. Everything counted about it stays.
PRUNE-2  Nothing is remembered between clean-ups, so there is nothing that a kill, a changed setting or a wrong clock
    could make wrong. What is due is found by index: issues with more events than samples by issues_by_events, what lies
    beyond their samples by events_by_fingerprint. Rows that stay are never read, and spared ones cost a step of that
    index each: 0.11 s for 100,000 issues with 1,000,000 events and nothing due, 0.45 s with 250,000 due (measured).
PRUNE-3  An event that is not in the counters yet is never deleted, nor is the newest: its id would be given again.
PRUNE-4  Every DELETE is bounded. Listed ids are checked again when they are deleted: a row that took the place of
    one deleted meanwhile is too new to go.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from bloop.db.engine import Db, ids_json
from bloop.db.tables import Table
from bloop.ingest.limits import FUTURE_MS_MAX

_MAKE_DUE = "CREATE TEMP TABLE IF NOT EXISTS due_events (id INTEGER PRIMARY KEY)"
_CLEAR_DUE = "DELETE FROM temp.due_events"
_COUNT_DUE = "SELECT count(*) FROM temp.due_events"
_SELECT_CROWDED = """
SELECT f.id
  FROM issues AS i INDEXED BY issues_by_events
  JOIN fingerprints AS f ON f.issue_id = i.id
 WHERE i.project_id = :project_id AND i.event_count > :samples
"""
# No client time lies further ahead of the time of receipt than FUTURE_MS_MAX, so the range of the index that can hold
# old events ends there. OFFSET counts index entries; only what lies beyond the samples is looked up in the table.
_FIND_DUE = """
INSERT INTO temp.due_events (id)
SELECT e.id
  FROM json_each(:fingerprint_ids) AS f
  JOIN events_by_fingerprint AS k ON k.fingerprint_id = f.value AND k.timestamp_ms < :timestamp_before_ms
  JOIN events AS e ON e.id = k.event_id
 WHERE (k.timestamp_ms, k.event_id) < (SELECT s.timestamp_ms, s.event_id
                                         FROM events_by_fingerprint AS s
                                        WHERE s.fingerprint_id = f.value
                                        ORDER BY s.timestamp_ms DESC, s.event_id DESC LIMIT 1 OFFSET :samples - 1)
   AND e.received_at_ms < :before_ms AND e.id < (SELECT event_id FROM settled)
 LIMIT :rows_max
    ON CONFLICT DO NOTHING
"""
# Reads the rows: they are in memory when the write lock is taken.
_SELECT_DUE = """
SELECT d.id
  FROM temp.due_events AS d
  JOIN events AS e ON e.id = d.id AND e.received_at_ms < :before_ms
 WHERE d.id > :after_id
 ORDER BY d.id
 LIMIT :rows_max
"""
_DELETE_KEYS = """
DELETE FROM events_by_fingerprint WHERE (fingerprint_id, timestamp_ms, event_id) IN (
    SELECT fingerprint_id, timestamp_ms, id FROM events
     WHERE id IN (SELECT value FROM json_each(:ids))
       AND received_at_ms < :before_ms AND id < (SELECT event_id FROM settled))
"""
_DELETE_EVENTS = """
DELETE FROM events
 WHERE id IN (SELECT value FROM json_each(:ids))
   AND received_at_ms < :before_ms AND id < (SELECT event_id FROM settled)
"""

_SELECT_FINGERPRINTS = "SELECT id FROM fingerprints ORDER BY id"
_SELECT_WITH_OLD_HOURS = """
SELECT f.value
  FROM json_each(:fingerprint_ids) AS f
 WHERE EXISTS (SELECT 1 FROM hourly_counts AS h WHERE h.fingerprint_id = f.value AND h.hour_ms < :before_ms)
"""
_DELETE_HOURS = """
DELETE FROM hourly_counts WHERE (fingerprint_id, hour_ms, release, environment, source) IN (
    SELECT h.fingerprint_id, h.hour_ms, h.release, h.environment, h.source
      FROM json_each(:fingerprint_ids) AS f
      JOIN hourly_counts AS h ON h.fingerprint_id = f.value AND h.hour_ms < :before_ms
     LIMIT :rows_max)
"""


def forget_due(db: Db) -> None:
    """Begin a new list of events to delete. It is the connection's own and held in memory: 12 bytes an event."""
    db.execute(_MAKE_DUE)
    db.execute(_CLEAR_DUE)


def crowded_fingerprints(db: Db, project_id: int, samples: int) -> array[int]:
    """Fingerprints of issues with more events than are spared, in the order of events_by_fingerprint."""
    bindings = {"project_id": project_id, "samples": samples}
    return array("q", sorted(row[0] for row in db.execute(_SELECT_CROWDED, bindings)))


def find_due(db: Db, fingerprint_ids: Sequence[int], *, before_ms: int, samples: int, rows_max: int) -> int:
    """List due events of these fingerprints (PRUNE-1, PRUNE-3), at most `rows_max`; return how many."""
    bindings = {
        "fingerprint_ids": ids_json(fingerprint_ids),
        "before_ms": before_ms,
        "timestamp_before_ms": before_ms + FUTURE_MS_MAX,
        "samples": samples,
        "rows_max": rows_max,
    }
    db.execute(_FIND_DUE, bindings)
    return db.changes()


def count_due(db: Db) -> int:
    return int(db.execute(_COUNT_DUE).get or 0)


def next_due(db: Db, *, after_id: int, before_ms: int, rows_max: int) -> list[int]:
    """Ids on the list above `after_id`, ascending: neighbours in the file are deleted together."""
    bindings = {"after_id": after_id, "before_ms": before_ms, "rows_max": rows_max}
    return [row[0] for row in db.execute(_SELECT_DUE, bindings)]


def delete_events(db: Db, ids: Sequence[int], before_ms: int) -> int:
    """Delete those received before the latest of all cut-offs (PRUNE-4); how many that were."""
    db.execute(_DELETE_KEYS, {"ids": ids_json(ids), "before_ms": before_ms})
    db.execute(_DELETE_EVENTS, {"ids": ids_json(ids), "before_ms": before_ms})
    return db.changes()


def all_fingerprints(db: Db) -> array[int]:
    """In the order of hourly_counts."""
    return array("q", (row[0] for row in db.execute(_SELECT_FINGERPRINTS)))


def with_old_hours(db: Db, fingerprint_ids: Sequence[int], before_ms: int) -> list[int]:
    """The fingerprints that have hours before this one."""
    bindings = {"fingerprint_ids": ids_json(fingerprint_ids), "before_ms": before_ms}
    return [row[0] for row in db.execute(_SELECT_WITH_OLD_HOURS, bindings)]


def delete_hours(db: Db, fingerprint_ids: Sequence[int], *, before_ms: int, rows_max: int) -> int:
    bindings = {"fingerprint_ids": ids_json(fingerprint_ids), "before_ms": before_ms, "rows_max": rows_max}
    db.execute(_DELETE_HOURS, bindings)
    return db.changes()


def delete_old(db: Db, table: Table, before_ms: int, rows_max: int) -> int:
    """Delete rows of a table that says itself which are old; how many that were."""
    db.execute(table.prune, {"before_ms": before_ms, "rows_max": rows_max})
    return db.changes()
