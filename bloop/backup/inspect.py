"""Reads a private copy of a database, of any schema version.

The statements are in this file because they read databases of any age, also of other installations.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import apsw

from bloop import features
from bloop.backup.watch import Stopped, Watch
from bloop.base.errors import BackupError

PROGRESS_OPS = 10_000  # virtual machine steps between two checks of `stopping`: some ms at most
ERRORS_SHOWN = 3

_SELECT_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_SELECT_APPLIED = "SELECT version, sha256 FROM schema_migrations ORDER BY version"
_SELECT_SECRET = "SELECT value FROM secrets WHERE name = 'challenges'"  # noqa: S105 - a statement
_CHECK = f"PRAGMA integrity_check({ERRORS_SHOWN})"


@contextlib.contextmanager
def open_copy(path: Path) -> Iterator[apsw.Connection]:
    """A connection that cannot change the file and creates no files beside it (sqlite.org/uri.html, `immutable`)."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with contextlib.closing(apsw.Connection(f"file:{quote(str(path))}?immutable=1", flags=flags)) as db:
        yield db


def check_integrity(db: apsw.Connection, watch: Watch) -> str:
    """`ok`, or the first ERRORS_SHOWN problems.

    Raises:
        Stopped: `watch` is stopping.
    """
    watch.check("Checking", 0, 1)
    db.set_progress_handler(watch.stopping, PROGRESS_OPS)
    try:
        lines = [str(row[0]) for row in db.execute(_CHECK)]
    except apsw.InterruptError:
        raise Stopped("stopped before it was done") from None
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return str(error)
    finally:
        db.set_progress_handler(None)
    watch.check("Checking", 1, 1)
    return "; ".join(lines)


def count_rows(db: apsw.Connection) -> dict[str, int]:
    """The row count of every table with user data (`is_missed`) that exists in this database."""
    existing = {row[0] for row in db.execute(_SELECT_TABLES)}
    missed = (table for table in features.tables() if table.is_missed)
    return {table.name: int(db.execute(table.count).get) for table in missed if table.name in existing}


def applied_migrations(db: apsw.Connection) -> dict[str, str]:
    """Version → SHA-256 of the applied migrations.

    Raises:
        BackupError: this is not a database of bloop.
    """
    try:
        return {str(version): sha256 for version, sha256 in db.execute(_SELECT_APPLIED)}
    except apsw.SQLError:
        raise BackupError("this is not a database of bloop") from None


def database_id(db: apsw.Connection) -> str:
    """An id equal in every copy of one installation's database: a hash that does not reveal the key it is made from."""
    try:
        value = db.execute(_SELECT_SECRET).get
    except apsw.SQLError:  # the database is older than the table
        value = None
    return hashlib.sha256(b"bloop database id\0" + value).hexdigest()[:16] if isinstance(value, bytes) else ""
