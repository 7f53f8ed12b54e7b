"""Reads the blocks of the event index (columns.py, index.py)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from bloop.db.engine import Db
from bloop.issues.events.columns import Column, unpacked

_SELECT_BLOCKS = """
SELECT first_id, last_id, event_count, indexed_count, from_ms, to_ms, indexed_at_ms
  FROM event_blocks ORDER BY first_id DESC
"""
_SELECT_COLUMN = "SELECT data FROM event_columns WHERE kind = ? AND first_id = ?"
_SELECT_SETTLED = "SELECT event_id FROM settled"


class Block(NamedTuple):
    """A range of ids whose events have columns."""

    first_id: int
    last_id: int
    event_count: int
    indexed_count: int
    from_ms: int
    to_ms: int
    indexed_at_ms: int


def blocks(db: Db) -> list[Block]:
    """All of them, the newest ids first: one for 4,096 events or fewer."""
    return [Block(*row) for row in db.execute(_SELECT_BLOCKS)]


def settled_id(db: Db) -> int:
    """The id up to which every event is counted."""
    return int(db.execute(_SELECT_SETTLED).get or 0)


def read_column(db: Db, kind: Column, first_id: int) -> bytes | None:
    """One column of a block; None when none of its events has a value there."""
    row = db.execute(_SELECT_COLUMN, (kind, first_id)).fetchone()
    return None if row is None else row[0]


class BlockColumns:
    """The columns of one block, each read when it is needed."""

    def __init__(self, db: Db, block: Block) -> None:
        self._db, self._first_id, self.count = db, block.first_id, block.indexed_count
        self._has_gaps = block.last_id - block.first_id + 1 != block.indexed_count
        self._data: dict[Column, bytes | None] = {}
        self._numbers: dict[Column, array[int]] = {}

    def has(self, column: Column) -> bool:
        if column not in self._data:
            self._data[column] = read_column(self._db, column, self._first_id)
        return self._data[column] is not None

    def of(self, column: Column) -> bytes:
        data = self._data[column] if self.has(column) else None
        assert data is not None, "a block has the columns of its events"
        return data

    def numbers(self, column: Column) -> array[int]:
        """Of a column of four bytes an event."""
        if column not in self._numbers:
            self._numbers[column] = unpacked("I", self.of(column))
        return self._numbers[column]

    def ids(self, positions: Sequence[int]) -> list[int]:
        """The events at these places."""
        if not self._has_gaps:
            return [self._first_id + place for place in positions]
        offsets = self.numbers(Column.OFFSETS)
        return [self._first_id + offsets[place] for place in positions]

    def listed_keys(self) -> list[list[str]]:
        """The lists of keys that projects had indexed when the block was made."""
        if not self.has(Column.TAG_KEYS):
            return []
        lists: list[list[str]] = orjson.loads(self.of(Column.TAG_KEYS))
        return lists

    def lack_dims(self, positions: Sequence[int]) -> bool:
        """Whether an event at one of these places has its dims for itself alone."""
        dims = self.numbers(Column.DIMS)
        return any(dims[place] == 0 for place in positions)
