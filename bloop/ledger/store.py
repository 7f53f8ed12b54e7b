"""Stores samples of refused requests: bounded, and not part of the ledger's counts. Moves lines of imported records.

The writer books what it stores itself (pipeline/ledger_lines.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bloop.base.outcomes import Category, Outcome
from bloop.db.engine import Db
from bloop.pipeline.kinds import UncountedStore
from bloop.pipeline.signals import Signal
from bloop.records.record import Kind, Rejection, decode_rejection

ROWS_MAX = 1000  # the newest

_INSERT = """
INSERT INTO rejections (project_id, rejected_at_ms, outcome, detail, key_prefix, size_bytes, client, user_agent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_SELECT_MINUTES = """
SELECT minute_ms, count FROM ledger
 WHERE minute_ms >= :since_ms AND project_id = :project_id AND category = :category AND outcome = :outcome
 ORDER BY minute_ms
"""
_ADD_TO_MINUTE = """
INSERT INTO ledger (minute_ms, project_id, category, outcome, count)
VALUES (:minute_ms, :project_id, :category, :outcome, :count)
    ON CONFLICT (minute_ms, project_id, category, outcome) DO UPDATE SET count = ledger.count + excluded.count
"""
_DELETE_EMPTY = """
DELETE FROM ledger
 WHERE minute_ms >= :since_ms AND project_id = :project_id AND category = :category AND outcome = :outcome AND count = 0
"""
_TRIM = "DELETE FROM rejections WHERE id <= (SELECT max(id) FROM rejections) - :rows_max"


def move_received(db: Db, project_id: int, since_ms: int, minutes: Mapping[int, int]) -> None:
    """Move what was booked as received since a minute to the minutes in which it was (minute in ms → events).

    Counters in shared memory have no time, so the writer books their growth when it sees it. Records that were received
    earlier, as those of the demo, would else be received in one minute and stored in another. Totals stay as they are.
    Call it inside a transaction, after all of them are booked.
    """
    line = {"project_id": project_id, "category": Category.EVENT, "outcome": Outcome.RECEIVED}
    left = sum(minutes.values())
    for minute_ms, count in db.execute(_SELECT_MINUTES, line | {"since_ms": since_ms}).fetchall():
        moved = min(left, count)
        db.execute(_ADD_TO_MINUTE, line | {"minute_ms": minute_ms, "count": -moved})
        left -= moved
    assert left == 0, "the caller waits until all are booked"
    for minute_ms, count in minutes.items():
        db.execute(_ADD_TO_MINUTE, line | {"minute_ms": minute_ms, "count": count})
    db.execute(_DELETE_EMPTY, line | {"since_ms": since_ms})


class NoteStore(UncountedStore):
    kind = Kind.NOTE

    def decode(self, payload: bytes, version: int) -> Rejection:
        return decode_rejection(payload, version)

    def insert(self, records: Sequence[Rejection]) -> list[Signal]:
        self._db.executemany(_INSERT, map(msgspec.structs.astuple, records))
        self._db.execute(_TRIM, {"rows_max": ROWS_MAX})
        return []
