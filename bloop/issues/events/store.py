"""Raw events: one row each, appended by the writer, deleted only by retention."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import apsw

from bloop.issues.counts.fold import Seen, user_key
from bloop.records.record import ErrorRecord

EventRow: TypeAlias = tuple[object, ...]

# Positional, in column order: the statement runs once per event, and named bindings cost twice as much to bind.
_INSERT = """
INSERT INTO events (issue_id, project_id, timestamp_ms, received_at_ms, source, environment, release, level,
                    error_type, message, stack, route, screen, http_status, request_id, user_id_hash,
                    device_id_hash, app_version, build_number, metadata)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_SELECT_UNSETTLED = """
SELECT issue_id, project_id, received_at_ms, release, environment, source, route, user_id_hash, device_id_hash
  FROM events
 WHERE id > (SELECT event_id FROM settled)
 ORDER BY id
"""

_MARK_SETTLED = "UPDATE settled SET event_id = (SELECT ifnull(max(id), 0) FROM events)"


def row_of(issue_id: int, record: ErrorRecord) -> EventRow:
    """The bindings of one insert."""
    e = record.event
    return (
        issue_id,
        record.project_id,
        e.timestamp_ms,
        record.received_at_ms,
        e.source,
        e.environment,
        e.release,
        e.level,
        e.error_type,
        e.message,
        e.stack,
        e.route,
        e.screen,
        e.http_status,
        e.request_id,
        e.user_id_hash,
        e.device_id_hash,
        e.app_version,
        e.build_number,
        e.metadata,
    )


def append(db: apsw.Connection, rows: Iterable[EventRow]) -> None:
    """Insert events; ids rise in the order given."""
    db.executemany(_INSERT, rows)


def unsettled(db: apsw.Connection) -> list[Seen]:
    """Stored events that are not in the counters yet: at most what the writer stores between two settlings."""
    return [(*row[:7], user_key(row[7], row[8])) for row in db.execute(_SELECT_UNSETTLED)]


def mark_settled(db: apsw.Connection) -> None:
    """Every event stored so far is in the counters, or will be by the end of this transaction."""
    db.execute(_MARK_SETTLED)
