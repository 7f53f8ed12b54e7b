"""How much of the database file is used, and giving back what is not (sqlite.org/pragma.html#pragma_auto_vacuum)."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.connection import sqlite
from bloop.db.engine import Db


class Pages(NamedTuple):
    """Of the file as this connection sees it."""

    total: int
    free: int  # can be used again, or given back
    page_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.total * self.page_bytes

    @property
    def free_bytes(self) -> int:
        return self.free * self.page_bytes


def count_pages(db: Db) -> Pages:
    names = ("page_count", "freelist_count", "page_size")
    return Pages(*(int(sqlite(db).pragma(name)) for name in names))


def give_back(db: Db, pages_max: int) -> None:
    """Shorten the file by free pages at its end; inside a transaction, and done when it commits."""
    sqlite(db).pragma("incremental_vacuum", pages_max)
