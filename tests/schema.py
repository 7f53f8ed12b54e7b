"""The schema of the newest bloop in memory, for tests that only prepare statements."""

from __future__ import annotations

from pkgutil import resolve_name

import apsw

from bloop.db import migrate


def schema_in_memory() -> apsw.Connection:
    """A migrated database without rows and without a file."""
    db = apsw.Connection(":memory:")
    for migration in migrate.shipped():
        db.execute(migration.sql)
        if migration.move:
            resolve_name(migration.move)(db)
    return db
