"""The used and free pages of the database file, and shrinking it (sqlite.org/pragma.html#pragma_auto_vacuum)."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.connection import sqlite
from bloop.db.engine import Db


class Pages(NamedTuple):
    """The pages of the file as this connection sees it."""

    total: int
    free: int  # can be reused, or cut off
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


def shrink_file(db: Db, pages_max: int) -> None:
    """Cut at most `pages_max` free pages off the file; call it in a transaction, whose commit does it."""
    sqlite(db).pragma("incremental_vacuum", pages_max)
