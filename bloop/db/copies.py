"""Copies a database in use, and reads a copy that no process has open (sqlite.org/backup.html).

COPIES-1  A copy is of one moment. It is made inside one read transaction: without one, every commit would restart it,
    and at ten commits a second it would never end (measured: 60 s and 619 restarts, instead of 0.5 s).
COPIES-2  Reading a copy does not change it and makes no file beside it (sqlite.org/uri.html, `immutable`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import apsw

from bloop.db import connection
from bloop.db.connection import sqlite
from bloop.db.engine import Db
from bloop.db.sizes import count_pages

PROGRESS_OPS = 10_000  # virtual machine steps between calls of `stopping`: a few ms at most
PROBLEMS_SHOWN = 3

_BEGIN_READING = "BEGIN; SELECT count(*) FROM sqlite_schema"  # BEGIN alone takes no snapshot
_SELECT_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_CHECK = f"PRAGMA integrity_check({PROBLEMS_SHOWN})"
_CHECK_QUICKLY = "PRAGMA quick_check(1)"


class CopyProgress(NamedTuple):
    """How far a copy is, in pages."""

    done: int
    total: int


class DatabaseCopy:
    """A copy that is being made, see `copying`."""

    def __init__(self, source: apsw.Connection, target: apsw.Connection) -> None:
        self._source, self._target = source, target
        self.total_bytes = count_pages(source).total_bytes

    def steps(self, pages: int) -> Iterator[CopyProgress]:
        """Copy `pages` at a time. The copy is complete when this ends (COPIES-1)."""
        self._source.execute(_BEGIN_READING).fetchall()
        with self._target.backup("main", self._source, "main") as backup:
            while not backup.done:
                backup.step(pages)
                yield CopyProgress(backup.page_count - backup.remaining, backup.page_count)
        self._source.execute("ROLLBACK")


@contextlib.contextmanager
def copying(database: Path, copy: Path) -> Iterator[DatabaseCopy]:
    """Copy `database` into the empty file `copy`, which needs no journal: an interrupted copy is useless anyway."""
    with (
        contextlib.closing(sqlite(connection.open_reader(database))) as source,
        contextlib.closing(apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READWRITE)) as target,
    ):
        target.pragma("synchronous", "OFF")
        target.pragma("journal_mode", "OFF")
        yield DatabaseCopy(source, target)


@contextlib.contextmanager
def open_copy(path: Path) -> Iterator[Db]:
    """A read-only connection to a copy (COPIES-2)."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with contextlib.closing(apsw.Connection(f"file:{quote(str(path))}?immutable=1", flags=flags)) as db:
        yield db


def table_names(db: Db) -> set[str]:
    """The tables of a database of any schema version."""
    return {row[0] for row in db.execute(_SELECT_TABLES)}


def check(db: Db, stopping: Callable[[], bool]) -> str:
    """`ok`, or the first problems of a full check.

    Raises:
        InterruptError: `stopping` returned True.
    """
    sqlite(db).set_progress_handler(stopping, PROGRESS_OPS)
    try:
        return "; ".join(str(row[0]) for row in db.execute(_CHECK))
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return str(error)
    finally:
        sqlite(db).set_progress_handler(None)


def check_quickly(db: Db) -> str:
    """As `check`, without comparing indexes with their tables."""
    return str(db.execute(_CHECK_QUICKLY).get)
