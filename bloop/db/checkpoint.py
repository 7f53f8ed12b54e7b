"""SQLite's write-ahead log: how long it is, and bringing it into the database (sqlite.org/wal.html).

No connection checkpoints by itself (`wal_autocheckpoint=0`): whoever writes much asks for it between transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from bloop.db.connection import sqlite
from bloop.db.engine import Db


def on_commit(db: Db, tell: Callable[[int], None]) -> None:
    """Call `tell` with the pages in the log after each commit of `db`; an emptied log counts from zero again."""

    def hook(_db: apsw.Connection, _schema: str, pages: int) -> int:
        tell(pages)
        return apsw.SQLITE_OK

    sqlite(db).set_wal_hook(hook)


def checkpoint(db: Db) -> bool:
    """Bring in what no reader needs any more, waiting for nobody; whether that was all, so that the log starts again.

    Raises:
        BusyError: another connection is at it.
    """
    in_log, done = sqlite(db).wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return in_log == done


def empty_log(db: Db) -> None:
    """Bring in all of it and cut the file to nothing, waiting for readers as long as the busy timeout.

    Raises:
        BusyError: somebody still reads from it.
    """
    sqlite(db).wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def log_path(database: Path) -> Path:
    """Where the log of a database lies, to ask for its size. Never open it: closing it would drop SQLite's locks."""
    return database.with_name(f"{database.name}-wal")


def keep_log(db: Db) -> None:
    """Leave the log as it is when `db` is closed; the last connection would bring it into the file."""
    sqlite(db).config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
