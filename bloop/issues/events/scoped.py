"""The events of one issue within a scope: which they are, in order, how many, whom they hit.

SCOPED-1  An event is in scope by its time of receipt, its environment and its release. Order is that of every list of
    events: the client's time, then arrival, newest first.
SCOPED-2  The walk is bounded: it looks at SCAN_MAX events of a fingerprint and ends with KEYS_MAX in scope. Whether
    there may be more is said, so that no page takes a part for the whole.
SCOPED-3  What decides stands in events_by_fingerprint, whose primary key (fingerprint_id, timestamp_ms, event_id) is
    walked: 0.1 ms for 1,000 events. Rows of events are read only for events from before it stood there, and for those
    whose dims have no row.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeAlias, TypeVar

from bloop.db.engine import Db, ids_json
from bloop.ingest.limits import FUTURE_MS_MAX
from bloop.issues.events.read import EventRow, by_ids
from bloop.records.event_record import NO_USER, Dims, decode_dims, request_id_of, split_dims, user_key_of

SCAN_MAX = 20_000  # events of a fingerprint that are looked at
KEYS_MAX = 10_000  # in scope: how far "12 of 340" counts
MATCHED_MAX = 5000  # events that are read to find those that match a filter
CHUNK = 200  # events read at once

T = TypeVar("T")
Matches: TypeAlias = Callable[[EventRow], bool]


class EventKey(NamedTuple):
    """The place of an event in the list of its issue."""

    timestamp_ms: int
    id: int


class EventScope(NamedTuple):
    """Received from `from_ms` up to, not including, `to_ms`; empty text means all environments or releases."""

    from_ms: int
    to_ms: int
    environment: str = ""
    release: str = ""

    @property
    def has_names(self) -> bool:
        return bool(self.environment or self.release)

    def includes(self, dims: Dims) -> bool:
        return (not self.environment or dims.environment == self.environment) and (
            not self.release or dims.release == self.release
        )


class Around(NamedTuple):
    """The events around one, within a scope; None where there is none, or where the walk ended before.

    `position` counts from the newest, 1-based; None: the event is not among those walked.
    """

    newest: int | None
    newer: int | None
    older: int | None
    oldest: int | None
    position: int | None


@dataclass(frozen=True, slots=True)
class ScopedEvents:
    """The keys of the events in scope, newest first, at most KEYS_MAX; `is_complete` when these are all."""

    keys: Sequence[EventKey]
    user_count: int  # users, else devices, that these events name
    is_complete: bool

    @property
    def total(self) -> int:
        return len(self.keys)

    @property
    def newest_id(self) -> int | None:
        return self._id_at(0)

    def around(self, key: EventKey) -> Around:
        """The neighbours of an event, which may be outside of the scope."""
        place = self.index_of(key)
        is_here = place < len(self.keys) and self.keys[place] == key
        return Around(
            newest=self.newest_id,
            newer=self._id_at(place - 1),
            older=self._id_at(place + is_here),
            oldest=self._id_at(len(self.keys) - 1) if self.is_complete else None,
            position=place + 1 if is_here else None,
        )

    def index_of(self, key: EventKey) -> int:
        """Where the event stands, or would stand, in `keys`."""
        return bisect_left(self.keys, _descending(key), key=_descending)

    def _id_at(self, place: int) -> int | None:
        return self.keys[place].id if 0 <= place < len(self.keys) else None


@dataclass(frozen=True, slots=True)
class ScopedPage:
    """Rows of a list, newest first. `start` is how many events in scope stand before the first of them.

    Continue with `next`. `read_count` events were read for it, `is_cut` when that was all that may be read at once.
    """

    rows: list[EventRow]
    start: int
    next: EventKey | None
    previous: EventKey | None = None  # the page before begins after it; None: at the top
    read_count: int = 0
    is_cut: bool = False


@dataclass(slots=True)
class _Walk:
    """What a walk has found so far."""

    keys: list[EventKey] = field(default_factory=list)
    users: set[int] = field(default_factory=set)


# timestamp, id, lag, dims id, user key
_Candidate: TypeAlias = tuple[int, int, int | None, int | None, int | None]

_SELECT_FINGERPRINTS = "SELECT id FROM fingerprints WHERE issue_id = :issue_id"
# No client time lies further ahead of the time of receipt than FUTURE_MS_MAX: later ones are out of the window.
_SELECT_CANDIDATES = """
SELECT k.timestamp_ms, k.event_id, k.lag_ms, k.dims_id, k.user_key
  FROM (SELECT timestamp_ms, event_id, lag_ms, dims_id, user_key
          FROM events_by_fingerprint
         WHERE fingerprint_id = :fingerprint_id AND timestamp_ms < :timestamp_before_ms
         ORDER BY timestamp_ms DESC, event_id DESC
         LIMIT :scan_max) AS k
 WHERE coalesce(k.timestamp_ms + k.lag_ms, :from_ms) >= :from_ms
   AND coalesce(k.timestamp_ms + k.lag_ms, :from_ms) < :to_ms
"""
_SELECT_BEYOND = """
SELECT 1 FROM events_by_fingerprint
 WHERE fingerprint_id = :fingerprint_id AND timestamp_ms < :timestamp_before_ms
 ORDER BY timestamp_ms DESC, event_id DESC
 LIMIT 1 OFFSET :scan_max
"""
_SELECT_DIMS = """
SELECT d.id, d.dims FROM json_each(:dims_ids) AS wanted JOIN event_dims AS d ON d.id = wanted.value
"""
_SELECT_EVENTS = """
SELECT e.id, e.received_at_ms, d.dims, e.body
  FROM json_each(:event_ids) AS wanted
  JOIN events AS e ON e.id = wanted.value
  LEFT JOIN event_dims AS d ON d.id = e.dims_id
"""


def events_in_scope(db: Db, issue_id: int, scope: EventScope) -> ScopedEvents:
    """The events of an issue within `scope` (SCOPED-1, SCOPED-2)."""
    arms = [row[0] for row in db.execute(_SELECT_FINGERPRINTS, {"issue_id": issue_id})]
    bindings = {
        "from_ms": scope.from_ms,
        "to_ms": scope.to_ms,
        "timestamp_before_ms": scope.to_ms + FUTURE_MS_MAX,
        "scan_max": SCAN_MAX,
    }
    found: list[list[_Candidate]] = []
    is_cut = False
    for arm in arms:
        rows = db.execute(_SELECT_CANDIDATES, bindings | {"fingerprint_id": arm}).fetchall()
        rows.sort(key=_key, reverse=True)  # in order already, which only an ORDER BY would promise
        found.append(rows)
        is_cut = is_cut or db.execute(_SELECT_BEYOND, bindings | {"fingerprint_id": arm}).fetchone() is not None
    candidates = iter(found[0]) if len(found) == 1 else heapq.merge(*found, key=_key, reverse=True)
    walk = _Walk()
    for chunk in _chunks(candidates, KEYS_MAX // 10):
        _take(db, walk, chunk, scope)
        if len(walk.keys) > KEYS_MAX:
            is_cut = True
            break
    return ScopedEvents(walk.keys[:KEYS_MAX], len(walk.users - {NO_USER}), not is_cut)


def list_scoped(
    db: Db,
    events: ScopedEvents,
    *,
    limit: int,
    before: EventKey | None = None,
    matches: Matches | None = None,
) -> ScopedPage:
    """A page of the events in scope behind `before`; with `matches`, of those for which it is true."""
    start = 0 if before is None else events.index_of(before)
    start += start < events.total and events.keys[start] == before
    if matches is None:
        page = events.keys[start : start + limit]
        has_more = start + limit < events.total
        above = events.keys[start - limit - 1] if start > limit else None
        return ScopedPage(_rows(db, page), start, page[-1] if has_more else None, above, len(page))
    rows: list[EventRow] = []
    read_count = 0
    for chunk in _chunks(islice(events.keys, start, start + MATCHED_MAX), CHUNK):
        read_count += len(chunk)
        rows += filter(matches, _rows(db, chunk))
        if len(rows) > limit:
            last = rows[limit - 1]
            return ScopedPage(rows[:limit], start, EventKey(last.timestamp_ms, last.id), read_count=read_count)
    end = start + read_count
    is_cut = end < events.total
    return ScopedPage(rows, start, events.keys[end - 1] if is_cut else None, read_count=read_count, is_cut=is_cut)


def find_request(db: Db, events: ScopedEvents, request_id: str) -> EventKey | None:
    """The newest event in scope that names this request."""
    for chunk in _chunks(events.keys, CHUNK):
        found = {event_id for event_id, _, _, body in _read(db, chunk) if request_id_of(body) == request_id}
        if found:
            return next(key for key in chunk if key.id in found)
    return None


def _take(db: Db, walk: _Walk, chunk: Sequence[_Candidate], scope: EventScope) -> None:
    """Add those of a chunk that are in scope; look up what the index does not say."""
    places = _dims(db, chunk) if scope.has_names else {}
    unknown = [EventKey(row[0], row[1]) for row in chunk if _is_unknown(row, places, scope)]
    looked_up = {event_id: (at_ms, dims, body) for event_id, at_ms, dims, body in _read(db, unknown)}
    for timestamp_ms, event_id, _, dims_id, user_key in chunk:
        stored = looked_up.get(event_id)
        if stored is not None:
            at_ms, dims, body = stored
            if scope.from_ms <= at_ms < scope.to_ms and scope.includes(decode_dims(dims)):
                walk.keys.append(EventKey(timestamp_ms, event_id))
                walk.users.add(user_key_of(body))
        elif not scope.has_names or scope.includes(places[dims_id]):  # type: ignore[index]
            walk.keys.append(EventKey(timestamp_ms, event_id))
            walk.users.add(user_key)  # type: ignore[arg-type]


def _is_unknown(row: _Candidate, places: dict[int, Dims], scope: EventScope) -> bool:
    return row[4] is None or (scope.has_names and row[3] not in places)


def _dims(db: Db, chunk: Sequence[_Candidate]) -> dict[int, Dims]:
    ids = {row[3] for row in chunk if row[3]}
    return {dims_id: decode_dims(dims) for dims_id, dims in db.execute(_SELECT_DIMS, {"dims_ids": ids_json([*ids])})}


def _read(db: Db, keys: Sequence[EventKey]) -> list[tuple[int, int, bytes, bytes]]:
    """Id, time of receipt, dims and body of each, in no order."""
    if not keys:
        return []
    rows = db.execute(_SELECT_EVENTS, {"event_ids": ids_json([key.id for key in keys])})
    return [
        (event_id, at_ms, *(split_dims(stored) if dims is None else (dims, stored)))
        for event_id, at_ms, dims, stored in rows
    ]


def _rows(db: Db, keys: Sequence[EventKey]) -> list[EventRow]:
    """The events themselves, in this order."""
    rows = {row.id: row for row in by_ids(db, [key.id for key in keys])}
    return [rows[key.id] for key in keys]


def _key(row: _Candidate) -> tuple[int, int]:
    return row[0], row[1]


def _descending(key: EventKey) -> tuple[int, int]:
    return -key.timestamp_ms, -key.id


def _chunks(values: Iterator[T] | Sequence[T], size: int) -> Iterator[list[T]]:
    source = iter(values)
    while chunk := list(islice(source, size)):
        yield chunk
