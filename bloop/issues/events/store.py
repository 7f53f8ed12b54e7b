"""Raw events: one row each, appended by the writer, deleted only by retention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from bloop.db.engine import Db, ids_json
from bloop.issues.fingerprints.store import Owner
from bloop.records.event_record import split_dims, user_key_of, with_dims

_FINGERPRINT = itemgetter(0)

DIMS_MAX = 20_000  # rows of event_dims: 2 MB here and on the disk

# Positional, in column order: the statement runs once per event, and named bindings cost twice as much to bind.
# Ids up to `settled` are never given again, even if the newest events are deleted: the index relies on that.
_SELECT_NEWEST = "SELECT max((SELECT coalesce(max(id), 0) FROM events), (SELECT event_id FROM settled))"
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_KEY = "INSERT INTO events_by_fingerprint VALUES (?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM events WHERE id IN (SELECT value FROM json_each(:ids))"

_SELECT_DIMS = "SELECT id FROM event_dims WHERE project_id = ? AND dims = ?"
_INSERT_DIMS = "INSERT INTO event_dims (project_id, dims) VALUES (?, ?) RETURNING id"
_COUNT_DIMS = "SELECT count(*) FROM event_dims"

_SELECT_UNSETTLED = """
SELECT e.id, e.fingerprint_id, e.timestamp_ms, e.received_at_ms, d.dims, e.body
  FROM events AS e
  LEFT JOIN event_dims AS d ON d.id = e.dims_id
 WHERE e.id > (SELECT event_id FROM settled)
 ORDER BY e.id
"""

_MARK_SETTLED = "UPDATE settled SET event_id = max(event_id, (SELECT coalesce(max(id), 0) FROM events))"


class IncomingEvent(NamedTuple):
    """A decoded record before it is stored: the fields for its row and the counters, still encoded where possible."""

    project_id: int
    received_at_ms: int
    timestamp_ms: int
    fingerprint: int
    user_key: int
    identity: bytes  # the fingerprint's text; empty: the number is all of it
    dims: bytes
    payload: bytes
    body_at: int  # where the body begins in it


# A stored event that is not in the counters yet: fingerprint id, timestamp, event id, received at, user key, dims. A
# plain tuple: tens of thousands a second are made.
Uncounted: TypeAlias = tuple[int, int, int, int, int, bytes]


class DimsIds:
    """Ids of dims by project and bytes. Ids from a transaction that is rolled back are forgotten with it."""

    def __init__(self, db: Db) -> None:
        self.known: dict[tuple[int, bytes], int] = {}
        self._fresh: list[tuple[int, bytes]] = []
        self._db = db
        self._count = int(db.execute(_COUNT_DIMS).get or 0)  # purging makes it too large until the next start

    def learn(self, keys: Iterable[tuple[int, bytes]]) -> None:
        """Make them known, unless there are too many: events with these dims need not carry them any more."""
        for key in sorted(key for key in keys if key not in self.known):  # in page order
            row = self._db.execute(_SELECT_DIMS, key).fetchone()
            if row is None:
                if self._count + len(self._fresh) >= DIMS_MAX:
                    continue
                row = (self._db.execute(_INSERT_DIMS, key).get,)
            self.known[key] = row[0]
            self._fresh.append(key)

    def commit(self) -> None:
        if self._fresh:
            self._count += len(self._fresh)
            self._fresh.clear()

    def rollback(self) -> None:
        for key in self._fresh:
            self.known.pop(key, None)
        self._fresh.clear()


def append(
    db: Db, dims_ids: DimsIds, fingerprint_ids: Sequence[int], events: Sequence[IncomingEvent]
) -> list[Uncounted]:
    """Insert events, at least one, each under its fingerprint; ids rise in the order given."""
    projects, received, timestamps, _, users, _, dims, payloads, body_starts = zip(*events, strict=True)
    known = dims_ids.known
    ids = [known.get(key, 0) for key in zip(projects, dims, strict=True)]
    bodies = [
        payload[body_at:] if dims_id else with_dims(payload)
        for payload, body_at, dims_id in zip(payloads, body_starts, ids, strict=True)
    ]
    newest_id = int(db.execute(_SELECT_NEWEST).get)
    event_ids = range(newest_id + 1, newest_id + 1 + len(events))
    db.executemany(_INSERT, zip(event_ids, fingerprint_ids, timestamps, received, ids, bodies, strict=True))
    return list(zip(fingerprint_ids, timestamps, event_ids, received, users, dims, strict=True))


def add_keys(db: Db, dims_ids: DimsIds, owners: Mapping[int, Owner], events: Iterable[Uncounted]) -> None:
    """Put settled events where pages find them. By fingerprint, as the table is: neighbours share its pages."""
    id_of = dims_ids.known.get
    rows = [
        (owner_id, at_ms, event_id, received_ms - at_ms, id_of((owners[owner_id][1], dims), 0), user_key)
        for owner_id, at_ms, event_id, received_ms, user_key, dims in sorted(events, key=_FINGERPRINT)
    ]
    db.executemany(_INSERT_KEY, rows)


def delete(db: Db, event_ids: Sequence[int]) -> None:
    """Remove events that were not settled, because what they hang on is gone."""
    if event_ids:
        db.execute(_DELETE, {"ids": ids_json(event_ids)})


def unsettled(db: Db) -> list[Uncounted]:
    """Stored events that are not in the counters yet: at most what the writer stores between two settlings."""
    found = []
    for event_id, fingerprint_id, timestamp_ms, received_at_ms, dims, stored in db.execute(_SELECT_UNSETTLED):
        dims, body = (dims, stored) if dims is not None else split_dims(stored)
        found.append((fingerprint_id, timestamp_ms, event_id, received_at_ms, user_key_of(body), dims))
    return found


def mark_settled(db: Db) -> None:
    """Every event stored so far is in the counters, or will be by the end of this transaction."""
    db.execute(_MARK_SETTLED)
