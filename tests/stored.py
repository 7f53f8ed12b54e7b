"""Events as they were stored, for tests that look at the database itself."""

from __future__ import annotations

import apsw

from bloop.issues.events.read import EventRow, by_ids
from bloop.records import dictionary, event_record
from bloop.records.event_record import EventRecord


def stored_events(db: apsw.Connection, after_id: int = 0) -> list[EventRow]:
    """All of them, also those that are not counted yet, in the order of their ids."""
    ids = [row[0] for row in db.execute("SELECT id FROM events WHERE id > ?", (after_id,))]
    return sorted(by_ids(db, ids), key=lambda row: row.id)


def request_ids(db: apsw.Connection) -> list[str | None]:
    """Of all events, in the order of their ids."""
    return [row.request_id for row in stored_events(db)]


def decoded(payload: bytes) -> EventRecord:
    """A record that this process packed."""
    return event_record.decode(payload, lambda _: dictionary.current())
