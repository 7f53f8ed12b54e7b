"""Raw events: one row each, appended by the writer, deleted only by retention."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import apsw

from bloop.record import ErrorRecord

EventRow: TypeAlias = tuple[object, ...]

# Positional, in column order: the statement runs once per event, and named bindings cost twice as much to bind.
_INSERT = """
INSERT INTO events (issue_id, project_id, timestamp_ms, received_at_ms, source, environment, release, level,
                    error_type, message, stack, route, screen, http_status, request_id, user_id_hash,
                    device_id_hash, app_version, build_number, metadata)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


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
