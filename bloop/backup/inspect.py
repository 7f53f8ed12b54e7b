"""Looking into a copy of a database: nobody else has it open, and it need not be of this bloop's schema.

The statements stand here because they read databases of any age, other installations' too.
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

PROGRESS_OPS = 10_000  # virtual machine steps between looks at whether to stop: some ms at most
ERRORS_SHOWN = 3

_SELECT_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_SELECT_APPLIED = "SELECT version, sha256 FROM schema_migrations ORDER BY version"
_SELECT_SECRET = "SELECT value FROM secrets WHERE name = 'challenges'"  # noqa: S105 - a statement
_CHECK = f"PRAGMA integrity_check({ERRORS_SHOWN})"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    """A connection that cannot change the file and makes no others beside it (sqlite.org/uri.html, `immutable`)."""
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with contextlib.closing(apsw.Connection(f"file:{quote(str(path))}?immutable=1", flags=flags)) as db:
        yield db


def integrity(db: apsw.Connection, watch: Watch) -> str:
    """`ok`, or the first of what is wrong.

    Raises:
        Stopped: `watch` says so.
    """
    watch.look("Checking", 0, 1)
    db.set_progress_handler(watch.stopping, PROGRESS_OPS)
    try:
        found = [str(row[0]) for row in db.execute(_CHECK)]
    except apsw.InterruptError:
        raise Stopped("stopped before it was done") from None
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return str(error)
    finally:
        db.set_progress_handler(None)
    watch.look("Checking", 1, 1)
    return "; ".join(found)


def count_rows(db: apsw.Connection) -> dict[str, int]:
    """Rows of every table that people would miss, as far as this database, of whatever age of schema, has it."""
    there = {row[0] for row in db.execute(_SELECT_TABLES)}
    missed = (table for table in features.tables() if table.is_missed)
    return {table.name: int(db.execute(table.count).get) for table in missed if table.name in there}


def applied(db: apsw.Connection) -> dict[str, str]:
    """Version → SHA-256 of the migrations that ran.

    Raises:
        BackupError: it is no database of bloop.
    """
    try:
        return {str(version): sha256 for version, sha256 in db.execute(_SELECT_APPLIED)}
    except apsw.SQLError:
        raise BackupError("this is not a database of bloop") from None


def database_id(db: apsw.Connection) -> str:
    """The same for every copy of one installation's database; it tells nothing about the key it is made from."""
    try:
        value = db.execute(_SELECT_SECRET).get
    except apsw.SQLError:  # older than the table
        value = None
    return hashlib.sha256(b"bloop database id\0" + value).hexdigest()[:16] if isinstance(value, bytes) else ""
