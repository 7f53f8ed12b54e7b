"""Copies of a database in use, and looking into a copy that nobody has open (sqlite.org/backup.html).

COPIES-1  A copy is of one moment. It is made inside one read transaction: without one it would start again whenever
          somebody writes, and at ten commits a second never end (measured: 60 s and 619 new starts, in place of 0.5 s).
COPIES-2  Looking into a copy changes nothing of it and makes no file beside it (sqlite.org/uri.html, `immutable`).
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

PROGRESS_OPS = 10_000  # virtual machine steps between looks at whether to stop: some ms at most
DAMAGES_SHOWN = 3

_BEGIN_READING = "BEGIN; SELECT count(*) FROM sqlite_schema"  # BEGIN alone takes no snapshot
_SELECT_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_CHECK = f"PRAGMA integrity_check({DAMAGES_SHOWN})"
_CHECK_QUICKLY = "PRAGMA quick_check(1)"


class CopyProgress(NamedTuple):
    """How far a copy is, in pages."""

    done: int
    total: int


class DatabaseCopy:
    """A copy about to be made, see `copying`."""

    def __init__(self, source: apsw.Connection, target: apsw.Connection) -> None:
        self._source, self._target = source, target
        self.total_bytes = count_pages(source).total_bytes

    def steps(self, pages: int) -> Iterator[CopyProgress]:
        """Copy `pages` at a time. The copy is whole when this ends (COPIES-1)."""
        self._source.execute(_BEGIN_READING).fetchall()
        with self._target.backup("main", self._source, "main") as backup:
            while not backup.done:
                backup.step(pages)
                yield CopyProgress(backup.page_count - backup.remaining, backup.page_count)
        self._source.execute("ROLLBACK")


@contextlib.contextmanager
def copying(database: Path, copy: Path) -> Iterator[DatabaseCopy]:
    """Copy `database` into the empty file `copy`, which needs no journal: what a kill leaves of it is of no use."""
    with (
        contextlib.closing(sqlite(connection.open_reader(database))) as source,
        contextlib.closing(apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READWRITE)) as target,
    ):
        target.pragma("synchronous", "OFF")
        target.pragma("journal_mode", "OFF")
        yield DatabaseCopy(source, target)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Db]:
    """A connection for looking into a copy (COPIES-2)."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with contextlib.closing(apsw.Connection(f"file:{quote(str(path))}?immutable=1", flags=flags)) as db:
        yield db


def table_names(db: Db) -> set[str]:
    """Of a database of whatever age of schema."""
    return {row[0] for row in db.execute(_SELECT_TABLES)}


def check(db: Db, stopping: Callable[[], bool]) -> str:
    """`ok`, or the first damages found. Looks at everything.

    Raises:
        InterruptError: `stopping` said so.
    """
    sqlite(db).set_progress_handler(stopping, PROGRESS_OPS)
    try:
        return "; ".join(str(row[0]) for row in db.execute(_CHECK))
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return str(error)
    finally:
        sqlite(db).set_progress_handler(None)


def check_quickly(db: Db) -> str:
    """The same without comparing indexes with their tables."""
    return str(db.execute(_CHECK_QUICKLY).get)
