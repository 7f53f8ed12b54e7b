"""Events as they were stored, for tests that look at the database itself."""

from __future__ import annotations

import apsw

from bloop.issues.events.read import EventRow, by_ids


def stored_events(db: apsw.Connection) -> list[EventRow]:
    """All of them, also those that are not counted yet, in the order of their ids."""
    ids = [row[0] for row in db.execute("SELECT id FROM events ORDER BY id")]
    return sorted(by_ids(db, ids), key=lambda row: row.id)


def request_ids(db: apsw.Connection) -> list[str | None]:
    """Of all events, in the order of their ids."""
    return [row.request_id for row in stored_events(db)]
