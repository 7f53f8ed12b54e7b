"""Raw events of an issue: pages, samples, one event and its neighbours.

An event is only ever reached through an issue the caller may see: `get_event` takes the issue's row id and finds
nothing when the event belongs to another one. Order is the client's timestamp, then arrival; served by
events_by_fingerprint, one walk for each fingerprint of the issue. Only what is handed out is unpacked.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from bloop.db.engine import Db, ids_json
from bloop.db.walk import ROWS_MAX, PageKey, Walk, keys
from bloop.pipeline.dictionaries import dictionary_of
from bloop.records.event import Event, Parts
from bloop.records.event_record import DictionaryOf, Traits, decode_body, decode_dims, split_dims, traits

ROW_ID_MAX = 2**63 - 1  # larger numbers from a URL are no row's id, and SQLite rejects them
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
    event_id: str | None
    parts: Parts | None


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
    select="SELECT e.timestamp_ms, '', e.event_id FROM events_by_fingerprint AS e",
    arm="e.fingerprint_id = :arm",
    ties="e.timestamp_ms = :value AND e.event_id < :id",
    rest="e.timestamp_ms < :value",
    order="ORDER BY e.timestamp_ms DESC, e.event_id DESC",
)
_SELECT_FINGERPRINTS = """
SELECT f.id FROM json_each(:issue_ids) AS wanted JOIN fingerprints AS f ON f.issue_id = wanted.value
"""
_COLUMNS = """
SELECT e.id, f.issue_id, f.project_id, p.public_id, i.fingerprint, e.timestamp_ms, e.received_at_ms, d.dims, e.body
"""
_SELECT_BY_IDS = f"""{_COLUMNS}
  FROM json_each(:ids) AS wanted
  JOIN events AS e ON e.id = wanted.value
  LEFT JOIN event_dims AS d ON d.id = e.dims_id
  JOIN fingerprints AS f ON f.id = e.fingerprint_id
  JOIN issues AS i ON i.id = f.issue_id
  JOIN projects AS p ON p.id = i.project_id
"""
_SELECT_BODIES = """
SELECT e.id, d.dims, e.body
  FROM json_each(:ids) AS wanted
  JOIN events AS e ON e.id = wanted.value
  LEFT JOIN event_dims AS d ON d.id = e.dims_id
"""
_SELECT_ONE = f"""{_COLUMNS}
  FROM events AS e
  LEFT JOIN event_dims AS d ON d.id = e.dims_id
  JOIN fingerprints AS f ON f.id = e.fingerprint_id
  JOIN issues AS i ON i.id = f.issue_id
  JOIN projects AS p ON p.id = i.project_id
 WHERE e.id = :event_id AND f.issue_id = :issue_id
"""
_NEWEST = """
SELECT timestamp_ms, event_id FROM events_by_fingerprint
 WHERE fingerprint_id = :fingerprint_id ORDER BY timestamp_ms DESC, event_id DESC LIMIT 1
"""
_OLDEST = """
SELECT timestamp_ms, event_id FROM events_by_fingerprint
 WHERE fingerprint_id = :fingerprint_id ORDER BY timestamp_ms, event_id LIMIT 1
"""
_NEWER = """
SELECT timestamp_ms, event_id FROM events_by_fingerprint
 WHERE fingerprint_id = :fingerprint_id AND timestamp_ms >= :timestamp_ms
   AND (timestamp_ms, event_id) > (:timestamp_ms, :id)
 ORDER BY timestamp_ms, event_id LIMIT 1
"""
_OLDER = """
SELECT timestamp_ms, event_id FROM events_by_fingerprint
 WHERE fingerprint_id = :fingerprint_id AND timestamp_ms <= :timestamp_ms
   AND (timestamp_ms, event_id) < (:timestamp_ms, :id)
 ORDER BY timestamp_ms DESC, event_id DESC LIMIT 1
"""
_COUNT_NEWER = """
SELECT count(*) FROM (SELECT 1 FROM events_by_fingerprint
 WHERE fingerprint_id = :fingerprint_id AND (timestamp_ms, event_id) > (:timestamp_ms, :id) LIMIT :count_max) AS newer
"""
_COUNT_ALL = """
SELECT count(*) FROM (SELECT 1 FROM events_by_fingerprint
 WHERE fingerprint_id = :fingerprint_id LIMIT :count_max) AS everything
"""


def list_events(
    db: Db,
    issue_ids: Sequence[int],
    *,
    limit: int,
    before: PageKey | None = None,
    skip: int = 0,
) -> EventPage:
    """One page of the issues' events, newest client timestamp first."""
    assert 0 < limit <= ROWS_MAX
    found = keys(db, _WALK, _fingerprints(db, issue_ids), before=before, skip=skip, limit=limit + 1)
    page = found[:limit]
    rows = {row.id: row for row in by_ids(db, [key.id for key in page])}
    return EventPage([rows[key.id] for key in page], page[-1] if len(found) > limit else None)


def get_event(db: Db, issue_id: int, event_id: int) -> EventRow | None:
    """The event, if it belongs to this issue."""
    if event_id > ROW_ID_MAX:
        return None
    row = db.execute(_SELECT_ONE, {"issue_id": issue_id, "event_id": event_id}).fetchone()
    return _event_row(row, dictionary_of(db)) if row else None


def neighbours(db: Db, event: EventRow) -> Neighbours:
    """The targets of "newer", "older" and the two ends from `event`, within its issue."""
    arms = _fingerprints(db, [event.issue_id])
    place = {"timestamp_ms": event.timestamp_ms, "id": event.id}
    counted = {"count_max": POSITION_MAX + 1}
    newest, oldest = _rows(db, _NEWEST, arms), _rows(db, _OLDEST, arms)
    newer, older = _rows(db, _NEWER, arms, **place), _rows(db, _OLDER, arms, **place)
    position = sum(row[0] for row in _rows(db, _COUNT_NEWER, arms, **place, **counted))
    total = sum(row[0] for row in _rows(db, _COUNT_ALL, arms, **counted))
    return Neighbours(
        max(newest)[1] if newest else None,
        min(newer)[1] if newer else None,
        max(older)[1] if older else None,
        min(oldest)[1] if oldest else None,
        min(position, POSITION_MAX) + 1,
        min(total, POSITION_MAX + 1),
    )


def newest_traits(db: Db, issue_id: int, *, limit: int) -> list[Traits]:
    """Of the newest `limit` events of an issue, newest first."""
    found = keys(db, _WALK, _fingerprints(db, [issue_id]), limit=limit)
    find = dictionary_of(db)
    rows = db.execute(_SELECT_BODIES, {"ids": ids_json([key.id for key in found])})
    place_of = cache(decode_dims)  # for this call: most events of an issue share theirs
    by_id = {event_id: traits(body, place_of(dims), find) for event_id, dims, body in map(_with_dims_apart, rows)}
    return [by_id[key.id] for key in found]


def _fingerprints(db: Db, issue_ids: Sequence[int]) -> list[int]:
    return [row[0] for row in db.execute(_SELECT_FINGERPRINTS, {"issue_ids": ids_json(issue_ids)})]


def _rows(db: Db, statement: str, arms: Sequence[int], **bindings: int) -> list[tuple[int, ...]]:
    """One row of each fingerprint, where there is one."""
    found = (db.execute(statement, {"fingerprint_id": arm, **bindings}).fetchone() for arm in arms)
    return [row for row in found if row is not None]


def by_ids(db: Db, ids: Sequence[int]) -> list[EventRow]:
    """These events, in no order, whether they are counted already or not."""
    find = dictionary_of(db)
    return [_event_row(row, find) for row in db.execute(_SELECT_BY_IDS, {"ids": ids_json(ids)})]


def _with_dims_apart(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row that ends with dims and body; dims that have no row of their own are the beginning of the body."""
    *columns, dims, body = row
    return (*columns, *split_dims(body)) if dims is None else row


def _event_row(row: tuple[Any, ...], find: DictionaryOf) -> EventRow:
    *columns, dims, body = _with_dims_apart(row)
    timestamp_ms = columns[5]
    e: Event = decode_body(body, dims, timestamp_ms, find)
    return EventRow(  # type: ignore[call-arg]
        *columns,
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
        e.event_id,
        e.parts,
    )
