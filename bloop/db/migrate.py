"""Numbered `.sql` migrations, applied together with the record that they ran.

Data that SQL cannot move is moved by a function of the feature that owns it: the file names it in its first line,
`-- then module:function`, and it is called with the connection after the SQL.

MIGRATE-1  The migrations of one upgrade and their rows in `schema_migrations` are one transaction: all ran, or none.
MIGRATE-2  Two processes that migrate at once do it one after the other; the second has nothing to do.
MIGRATE-3  A file that already ran never changes: its SHA-256 is compared at every start.
MIGRATE-4  Another program's database is refused before anything in it is changed (CONNECTION-1).
MIGRATE-5  Before a database that holds data is migrated, it is copied to `<name>.before-<version>` beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from importlib import resources
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

import apsw

from bloop.base.errors import SchemaTooNew, StorageError
from bloop.db import connection
from bloop.db.engine import Db

log = logging.getLogger(__name__)

_MOVE = "-- then "
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version       INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL,
    sha256        TEXT    NOT NULL,
    applied_at_ms INTEGER NOT NULL
)
"""
_HAS_TABLE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'"
_SELECT_APPLIED = "SELECT version, sha256 FROM schema_migrations ORDER BY version"
_INSERT_APPLIED = "INSERT INTO schema_migrations VALUES (:version, :name, :sha256, :applied_at_ms)"


class Migration(NamedTuple):
    version: int
    name: str
    sql: str

    @property
    def move(self) -> str:
        """What moves the data, as `module:function`; empty when SQL does."""
        first_line = self.sql.partition("\n")[0]
        return first_line.removeprefix(_MOVE) if first_line.startswith(_MOVE) else ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def shipped() -> list[Migration]:
    """The migrations of this bloop, in order, numbered 1, 2, 3 …"""
    folder = resources.files("bloop.db") / "migrations"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    migrations = [Migration(int(f.name[:4]), f.name[5:-4], f.read_text(encoding="utf-8")) for f in files]
    assert [m.version for m in migrations] == list(range(1, len(migrations) + 1)), "migrations are numbered 1, 2, 3 …"
    return migrations


def pending(db: Db, migrations: list[Migration] | None = None) -> list[Migration]:
    """The migrations that `migrate` would apply. Reads only.

    Raises:
        SchemaTooNew: the database was written by a later bloop.
        StorageError: a migration that already ran has been edited since.
    """
    migrations = shipped() if migrations is None else migrations
    applied: dict[int, str] = dict(db.execute(_SELECT_APPLIED)) if db.execute(_HAS_TABLE).fetchone() else {}
    if applied and max(applied) > len(migrations):
        raise SchemaTooNew(
            f"the database has schema version {max(applied)}, this bloop knows up to {len(migrations)}: upgrade bloop"
        )
    for migration in migrations:
        if applied.get(migration.version, migration.sha256) != migration.sha256:
            raise StorageError(f"migration {migration.version:04d}_{migration.name} changed after it was applied")
    return [m for m in migrations if m.version not in applied]


def pending_at(path: Path) -> list[Migration]:
    """As `pending`, of a file that need not exist. Changes nothing."""
    if not path.exists():
        return shipped()
    with contextlib.closing(connection.open_reader(path)) as db:
        return pending(db)


def migrate(path: Path | str, now_ms: int, migrations: list[Migration] | None = None) -> list[Migration]:
    """Bring the database at `path` up to date, creating it (mode 0600) if there is none; return the applied ones."""
    _create_private(Path(path))
    db = connection.open_control(path)
    try:
        if not pending(db, migrations) and connection.is_marked(db):
            return []
        with connection.immediate(db):  # other processes that migrate wait here, and then have nothing to do
            todo = pending(db, migrations)
            if todo and todo[0].version > 1:
                _back_up(Path(path), todo[0].version)
            for migration in todo:
                _apply(db, migration, now_ms)
            connection.mark(db)  # one from before files were marked
    finally:
        db.close()
    for migration in todo:
        log.info("applied migration %04d_%s", migration.version, migration.name, extra={"action": "migrated"})
    return todo


def _create_private(path: Path) -> None:
    """Make the file, mode 0600. One that exists is never opened here: closing any descriptor of a database file drops
    every POSIX lock this process holds on it (sqlite.org/howtocorrupt.html, section 2.2)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    path.chmod(0o600)


def _apply(db: Db, migration: Migration, now_ms: int) -> None:
    db.execute(_TABLE)
    db.execute(migration.sql)
    if migration.move:
        resolve_name(migration.move)(db)
    row = {"version": migration.version, "name": migration.name, "sha256": migration.sha256}
    db.execute(_INSERT_APPLIED, row | {"applied_at_ms": now_ms})


def _back_up(path: Path, version: int) -> None:
    """Copy the committed database; the caller holds the write lock, so there is no newer commit.

    A copy gets its name when it is complete: on a full disk there is none, or one from an earlier attempt.
    """
    target = path.with_name(f"{path.name}.before-{version:04d}")
    making = target.with_name(f"{target.name}.new")
    making.unlink(missing_ok=True)
    _create_private(making)
    try:
        with (
            contextlib.closing(connection.sqlite(connection.open_reader(path))) as source,
            contextlib.closing(apsw.Connection(str(making))) as copy,
            copy.backup("main", source, "main") as backup,
        ):
            backup.step()
        making.replace(target)
    finally:
        making.unlink(missing_ok=True)
    log.info("copied the database to %s", target, extra={"action": "backed_up"})
