"""Now and then, a dictionary made of this installation's own events: its stacks repeat what no shipped one can know.

TRAIN-1  It is kept for ever, so there are few: at most TRAINED_MAX, one a week at most, and only one that makes events
    GAIN_MIN shorter than the one in use, measured on events that it was not made of.
TRAIN-2  No process packs with it before it is committed; workers find it with the next project key that changes, or
    when they start.
"""

from __future__ import annotations

import itertools

from bloop.base.clock import DAY_MS
from bloop.db import connection
from bloop.db.engine import Db
from bloop.issues.events.read import EventRow, by_ids
from bloop.pipeline import dictionaries
from bloop.records import event_record
from bloop.records.dictionary import Dictionary
from bloop.records.event import Event
from bloop.records.training import train

TRAINED_MAX = 16  # 1 MiB
TRAIN_EVERY_MS = 7 * DAY_MS
EVENTS_MIN = 5_000
SAMPLE_EVENTS = 4_000
HELD_OUT = 10  # every tenth is kept back to measure with
AT_ONCE = 200
GAIN_MIN = 0.05

_SELECT_NEWEST_ID = "SELECT coalesce(max(id), 0) FROM events"


def train_if_due(db: Db, now_ms: int) -> Dictionary | None:
    """Make a dictionary when it is time, and keep it when it is worth it (TRAIN-1)."""
    kept = dictionaries.rows(db)
    trained = [row.made_at_ms for row in kept if row.origin == "trained"]
    if len(trained) >= TRAINED_MAX or now_ms - max(trained, default=0) < TRAIN_EVERY_MS:
        return None
    newest_id = db.execute(_SELECT_NEWEST_ID).get
    assert isinstance(newest_id, int)
    in_use = dictionaries.newest_id(db)
    if newest_id < EVENTS_MIN or in_use is None:
        return None
    events = _spread(db, newest_id)
    candidate = train(event for n, event in enumerate(events) if n % HELD_OUT)
    before = dictionaries.dictionary_of(db)(in_use)
    if candidate is None or before is None or _bytes(events, candidate) > _bytes(events, before) * (1 - GAIN_MIN):
        return None
    with connection.immediate(db):
        dictionaries.add(db, candidate, origin="trained", now_ms=now_ms)
    return candidate


def _spread(db: Db, newest_id: int) -> list[Event]:
    """Events from the newest ones, from all over the last few hundred thousand."""
    step = max(1, min(newest_id, 100 * SAMPLE_EVENTS) // SAMPLE_EVENTS)
    ids = range(newest_id, max(0, newest_id - step * SAMPLE_EVENTS), -step)
    return [
        _event_of(row)
        for start in range(0, len(ids), AT_ONCE)
        for row in by_ids(db, list(itertools.islice(ids, start, start + AT_ONCE)))
    ]


def _event_of(row: EventRow) -> Event:
    return Event(**{name: getattr(row, name) for name in Event.__struct_fields__})


def _bytes(events: list[Event], dictionary: Dictionary) -> int:
    return sum(len(event_record.encode(0, 0, "", "client", event, dictionary)) for event in events[::HELD_OUT])
