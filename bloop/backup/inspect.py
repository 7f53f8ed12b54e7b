"""Reads a private copy of a database, of any schema version.

The statements are in this file because they read databases of any age, also of other installations.
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


def check_integrity(db: Db, watch: Watch) -> str:
    """`ok`, or the first problems found.

    Raises:
        Stopped: `watch` is stopping.
    """
    watch.check("Checking", 0, 1)
    try:
        problems = check(db, watch.stopping)
    except db_errors.InterruptError:
        raise Stopped("stopped before it was done") from None
    watch.check("Checking", 1, 1)
    return problems


def count_rows(db: Db) -> dict[str, int]:
    """The row count of every table with user data (`is_missed`) that exists in this database."""
    existing = table_names(db)
    missed = (table for table in features.tables() if table.is_missed)
    return {table.name: int(db.execute(table.count).get) for table in missed if table.name in existing}


def applied_migrations(db: Db) -> dict[str, str]:
    """Version → SHA-256 of the applied migrations.

    Raises:
        BackupError: this is not a database of bloop.
    """
    try:
        return {str(version): sha256 for version, sha256 in db.execute(_SELECT_APPLIED)}
    except db_errors.SQLError:
        raise BackupError("this is not a database of bloop") from None


def database_id(db: Db) -> str:
    """An id equal in every copy of one installation's database: a hash that does not reveal the key it is made from."""
    try:
        value = db.execute(_SELECT_SECRET).get
    except db_errors.SQLError:  # the database is older than the table
        value = None
    return hashlib.sha256(b"bloop database id\0" + value).hexdigest()[:16] if isinstance(value, bytes) else ""
