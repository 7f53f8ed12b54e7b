"""SQLite's write-ahead log: its length, and checkpoints, which move it into the database (sqlite.org/wal.html).

No connection checkpoints by itself (`wal_autocheckpoint=0`): a process that writes much does it between transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from bloop.db.connection import sqlite
from bloop.db.engine import Db


def on_commit(db: Db, report: Callable[[int], None]) -> None:
    """Call `report` with the pages in the log after each commit of `db`; an emptied log counts from zero again."""

    def hook(_db: apsw.Connection, _schema: str, pages: int) -> int:
        report(pages)
        return apsw.SQLITE_OK

    sqlite(db).set_wal_hook(hook)


def checkpoint(db: Db) -> bool:
    """Checkpoint without waiting, as far as readers allow; True when all of it was done, so that the log starts again.

    Raises:
        BusyError: another connection is checkpointing.
    """
    in_log, done = sqlite(db).wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    return in_log == done


def empty_log(db: Db) -> None:
    """Checkpoint all of the log and truncate its file, waiting for readers up to the busy timeout.

    Raises:
        BusyError: a reader still needs it.
    """
    sqlite(db).wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def log_path(database: Path) -> Path:
    """The path of a database's log, to ask for its size. Never open it: closing it would drop SQLite's locks."""
    return database.with_name(f"{database.name}-wal")


def keep_log(db: Db) -> None:
    """Leave the log as it is when `db` is closed; the last connection would bring it into the file."""
    sqlite(db).config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
