"""Dictionaries that stored events were packed with: rows, each read once per process, since an id never changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from bloop.db import connection
from bloop.db.engine import Db
from bloop.records.dictionary import Dictionary, shipped
from bloop.records.event_record import DictionaryOf

_SELECT = "SELECT content FROM dictionaries WHERE id = ?"
_SELECT_IDS = "SELECT id FROM dictionaries"
_SELECT_NEWEST = "SELECT id FROM dictionaries ORDER BY made_at_ms DESC, id LIMIT 1"
_INSERT = "INSERT INTO dictionaries VALUES (:id, :content, :origin, :made_at_ms) ON CONFLICT (id) DO NOTHING"

_SELECT_ROWS = "SELECT id, content, origin, made_at_ms FROM dictionaries ORDER BY id"

_read: dict[int, Dictionary] = {}


class DictionaryRow(NamedTuple):
    id: int
    content: bytes
    origin: str  # 'shipped' or 'trained'
    made_at_ms: int


def dictionary_of(db: Db) -> DictionaryOf:
    """Dictionaries by id, from this database."""

    def find(dictionary_id: int) -> Dictionary | None:
        found = _read.get(dictionary_id)
        if found is None:
            row = db.execute(_SELECT, (dictionary_id,)).fetchone()
            if row is None:
                return None
            found = _read[dictionary_id] = Dictionary(row[0])
        return found

    return find


def ids(db: Db) -> Collection[int]:
    """All there are."""
    return frozenset(row[0] for row in db.execute(_SELECT_IDS))


def newest_id(db: Db) -> int | None:
    """The one to pack with."""
    row = db.execute(_SELECT_NEWEST).fetchone()
    return None if row is None else int(row[0])


def ensure_shipped(db: Db, now_ms: int) -> None:
    """The dictionary that came with this release is a row."""
    if shipped().id not in ids(db):
        with connection.immediate(db):
            add(db, shipped(), origin="shipped", now_ms=now_ms)


def rows(db: Db) -> list[DictionaryRow]:
    """All of them whole: what a restore carries over."""
    return [DictionaryRow(*row) for row in db.execute(_SELECT_ROWS)]


def add_rows(db: Db, found: Iterable[DictionaryRow]) -> None:
    """Those of another database that are not here yet. In the caller's transaction."""
    db.executemany(_INSERT, [row._asdict() for row in found])


def add(db: Db, dictionary: Dictionary, *, origin: str, now_ms: int) -> None:
    """Keep it for ever; nothing happens when it is there already. In the caller's transaction."""
    add_rows(db, [DictionaryRow(dictionary.id, dictionary.content, origin, now_ms)])
