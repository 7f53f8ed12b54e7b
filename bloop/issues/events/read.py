"""Raw events of an issue: pages, samples, one event and its neighbours.

An event is only ever reached through an issue the caller may see: `get_event` takes the issue's row id and finds
nothing when the event belongs to another one. Order is the client's timestamp, then arrival; served by
events_by_issue (issue_id, timestamp_ms).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from bloop.db.rows import ids_json
from bloop.db.walk import ROWS_MAX, PageKey, Walk, keys

ROW_ID_MAX = 2**63 - 1  # larger numbers from a URL are nobody's id, and SQLite does not take them
POSITION_MAX = 10_000  # how far "12 of 340" counts


class EventRow(NamedTuple):
    id: int
    issue_id: int
    project_id: int
    project_public_id: str
    fingerprint: str
    timestamp_ms: int
    received_at_ms: int
    source: str
    environment: str
    release: str
    level: str
    error_type: str
    message: str
    stack: str | None
    route: str | None
    screen: str | None
    http_status: int | None
    request_id: str | None
    user_id_hash: str | None
    device_id_hash: str | None
    app_version: str | None
    build_number: str | None
    metadata: str | None  # JSON text
    extra: str | None  # JSON text


class Traits(NamedTuple):
    """What events differ in that no counter keeps."""

    source: str
    level: str
    http_status: int | None
    app_version: str | None


class EventPage(NamedTuple):
    rows: list[EventRow]
    next: PageKey | None


class Neighbours(NamedTuple):
    """Ids of the events around one; None where there is none. `position` counts from the newest, 1-based, and both
    counts stop at POSITION_MAX + 1."""

    newest: int | None
    newer: int | None
    older: int | None
    oldest: int | None
    position: int
    total: int


_WALK = Walk(
    select="SELECT e.timestamp_ms, '', e.id FROM events AS e INDEXED BY events_by_issue",
    arm="e.issue_id = :arm",
    ties="e.timestamp_ms = :value AND e.id < :id",
    rest="e.timestamp_ms < :value",
    order="ORDER BY e.timestamp_ms DESC, e.id DESC",
)
_COLUMNS = """
SELECT e.id, e.issue_id, e.project_id, p.public_id, i.fingerprint, e.timestamp_ms, e.received_at_ms, e.source,
       e.environment, e.release, e.level, e.error_type, e.message, e.stack, e.route, e.screen, e.http_status,
       e.request_id, e.user_id_hash, e.device_id_hash, e.app_version, e.build_number, e.metadata, e.extra
"""
_SELECT_BY_IDS = f"""{_COLUMNS}
  FROM json_each(:ids) AS wanted
  JOIN events AS e ON e.id = wanted.value
  JOIN issues AS i ON i.id = e.issue_id
  JOIN projects AS p ON p.id = i.project_id
"""
_SELECT_ONE = f"""{_COLUMNS}
  FROM events AS e
  JOIN issues AS i ON i.id = e.issue_id
  JOIN projects AS p ON p.id = i.project_id
 WHERE e.id = :event_id AND e.issue_id = :issue_id
"""
_SELECT_TRAITS = """
SELECT source, level, http_status, app_version
  FROM events INDEXED BY events_by_issue
 WHERE issue_id = :issue_id
 ORDER BY timestamp_ms DESC, id DESC
 LIMIT :limit
"""
_SELECT_EDGES = """
SELECT (SELECT id FROM events INDEXED BY events_by_issue
         WHERE issue_id = :issue_id ORDER BY timestamp_ms DESC, id DESC LIMIT 1),
       (SELECT id FROM events INDEXED BY events_by_issue
         WHERE issue_id = :issue_id AND timestamp_ms >= :timestamp_ms AND (timestamp_ms, id) > (:timestamp_ms, :id)
         ORDER BY timestamp_ms, id LIMIT 1),
       (SELECT id FROM events INDEXED BY events_by_issue
         WHERE issue_id = :issue_id AND timestamp_ms <= :timestamp_ms AND (timestamp_ms, id) < (:timestamp_ms, :id)
         ORDER BY timestamp_ms DESC, id DESC LIMIT 1),
       (SELECT id FROM events INDEXED BY events_by_issue
         WHERE issue_id = :issue_id ORDER BY timestamp_ms, id LIMIT 1),
       (SELECT count(*) FROM (SELECT 1 FROM events INDEXED BY events_by_issue
         WHERE issue_id = :issue_id AND (timestamp_ms, id) > (:timestamp_ms, :id) LIMIT :count_max)),
       (SELECT count(*) FROM (SELECT 1 FROM events INDEXED BY events_by_issue
         WHERE issue_id = :issue_id LIMIT :count_max))
"""


def list_events(
    db: apsw.Connection,
    issue_ids: Sequence[int],
    *,
    limit: int,
    before: PageKey | None = None,
    skip: int = 0,
) -> EventPage:
    """One page of the issues' events, newest client timestamp first."""
    assert 0 < limit <= ROWS_MAX
    found = keys(db, _WALK, issue_ids, before=before, skip=skip, limit=limit + 1)
    page = found[:limit]
    rows = {row.id: row for row in _by_ids(db, [key.id for key in page])}
    return EventPage([rows[key.id] for key in page], page[-1] if len(found) > limit else None)


def get_event(db: apsw.Connection, issue_id: int, event_id: int) -> EventRow | None:
    """The event, if it belongs to this issue."""
    if event_id > ROW_ID_MAX:
        return None
    row = db.execute(_SELECT_ONE, {"issue_id": issue_id, "event_id": event_id}).fetchone()
    return EventRow(*row) if row else None


def neighbours(db: apsw.Connection, event: EventRow) -> Neighbours:
    """What "newer", "older" and the two ends lead to from `event`, within its issue."""
    bindings = {
        "issue_id": event.issue_id,
        "timestamp_ms": event.timestamp_ms,
        "id": event.id,
        "count_max": POSITION_MAX + 1,
    }
    row = db.execute(_SELECT_EDGES, bindings).fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    newest, newer, older, oldest, newer_count, total = row
    return Neighbours(newest, newer, older, oldest, min(newer_count, POSITION_MAX) + 1, total)


def newest_traits(db: apsw.Connection, issue_id: int, *, limit: int) -> list[Traits]:
    """Of the newest `limit` events of an issue, newest first."""
    assert 0 < limit <= ROWS_MAX
    return [Traits(*row) for row in db.execute(_SELECT_TRAITS, {"issue_id": issue_id, "limit": limit})]


def _by_ids(db: apsw.Connection, ids: Sequence[int]) -> list[EventRow]:
    return [EventRow(*row) for row in db.execute(_SELECT_BY_IDS, {"ids": ids_json(ids)})]
