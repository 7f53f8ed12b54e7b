"""Looking into a copy of a database: nobody else has it open, and it need not be of this bloop's schema.

The statements stand here because they read databases of any age, other installations' too.
"""

from __future__ import annotations

import hashlib

from bloop import features
from bloop.backup.watch import Stopped, Watch
from bloop.base.errors import BackupError
from bloop.db import errors as db_errors
from bloop.db.copies import check, table_names
from bloop.db.engine import Db

_SELECT_APPLIED = "SELECT version, sha256 FROM schema_migrations ORDER BY version"
_SELECT_SECRET = "SELECT value FROM secrets WHERE name = 'challenges'"  # noqa: S105 - a statement


def integrity(db: Db, watch: Watch) -> str:
    """`ok`, or the first of what is wrong.

    Raises:
        Stopped: `watch` says so.
    """
    watch.look("Checking", 0, 1)
    try:
        found = check(db, watch.stopping)
    except db_errors.InterruptError:
        raise Stopped("stopped before it was done") from None
    watch.look("Checking", 1, 1)
    return found


def count_rows(db: Db) -> dict[str, int]:
    """Rows of every table that people would miss, as far as this database, of whatever age of schema, has it."""
    there = table_names(db)
    missed = (table for table in features.tables() if table.is_missed)
    return {table.name: int(db.execute(table.count).get) for table in missed if table.name in there}


def applied(db: Db) -> dict[str, str]:
    """Version → SHA-256 of the migrations that ran.

    Raises:
        BackupError: it is no database of bloop.
    """
    try:
        return {str(version): sha256 for version, sha256 in db.execute(_SELECT_APPLIED)}
    except db_errors.SQLError:
        raise BackupError("this is not a database of bloop") from None


def database_id(db: Db) -> str:
    """The same for every copy of one installation's database; it tells nothing about the key it is made from."""
    try:
        value = db.execute(_SELECT_SECRET).get
    except db_errors.SQLError:  # older than the table
        value = None
    return hashlib.sha256(b"bloop database id\0" + value).hexdigest()[:16] if isinstance(value, bytes) else ""
