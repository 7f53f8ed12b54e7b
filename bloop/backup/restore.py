"""Replaces the database with a backup.

RESTORE-1  It runs only while no process has the database open: every connection of every process holds SQLite's shared
    lock, and this holds the exclusive one until the new file is in place.
RESTORE-2  The old database is kept beside the new one as `<name>.before-restore-<time>`, with its write-ahead log if
    that could not be applied. The log never stays under the old name: SQLite would apply it to the new file.
RESTORE-3  The new file appears by one rename, after it was checked, migrated and synced. Killed at any moment, either
    the old or the new database is in place.
RESTORE-4  State that must not come back is removed (backup/restored.py).
RESTORE-5  Dictionaries of the old database are carried over: events that wait in the ring may be packed with them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bloop.backup import restored
from bloop.backup.create import sync_folder
from bloop.backup.manifest import Manifest
from bloop.backup.manifest import read as read_manifest
from bloop.backup.verify import unpacked
from bloop.backup.watch import Watch
from bloop.base.errors import BackupError, SchemaTooNew, StorageError
from bloop.db import connection, migrate
from bloop.db import errors as db_errors
from bloop.db.checkpoint import empty_log
from bloop.pipeline import dictionaries
from bloop.pipeline.dictionaries import DictionaryRow

# Where SQLite locks a database file (sqlite.org/fileformat2.html has the page, os.h the rest).
_SHARED_FIRST, _SHARED_BYTES = 0x4000_0002, 510


class RestoreResult(NamedTuple):
    manifest: Manifest
    kept_path: Path | None  # of the old database; None when there was none
    migrations: list[str]  # applied to the backup, which did not have them yet


def restore(data: Path, database: Path, now_ms: int, watch: Watch | None = None) -> RestoreResult:
    """Replace `database` with the backup `data`.

    Raises:
        BackupError: the backup is damaged, the disk has not enough space, or a process has the database open. Nothing
            was changed.
        SchemaTooNew: a later bloop made the backup.
    """
    watch = watch or Watch()
    manifest = read_manifest(data)
    newest = len(migrate.shipped())
    if manifest.schema_version > newest:
        raise SchemaTooNew(
            f"{data.name} has schema version {manifest.schema_version}, this bloop knows up to {newest}: upgrade bloop"
        )
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive_access(database):
        pass  # fails at once, not after minutes of unpacking
    carried = restored.dictionaries_of(database)
    with unpacked(data, watch, beside=database.parent) as (path, _):
        migrations = [migration.name for migration in migrate.migrate(path, now_ms)]
        _prepare(path, data, manifest, carried, now_ms)
        with exclusive_access(database):
            kept_path = _keep_old(database, now_ms)
            path.replace(database)
            sync_folder(database.parent)
    return RestoreResult(manifest, kept_path, migrations)


@contextlib.contextmanager
def exclusive_access(database: Path) -> Iterator[None]:
    """No other process has the database open or can open it inside this block (RESTORE-1).

    Raises:
        BackupError: a process has it open.
    """
    if not database.exists():
        yield
        return
    with _locked(database):
        pass
    with contextlib.suppress(db_errors.Error, StorageError):  # a damaged database is kept with its log instead
        _checkpoint_log(database)
    with _locked(database):  # do not use SQLite from here on: closing the file would drop this lock
        yield


@contextlib.contextmanager
def _locked(database: Path) -> Iterator[None]:
    fd = os.open(database, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):  # POSIX allows either error
            raise BackupError(f"a process has {database} open: stop bloop first") from None
        yield
    finally:
        os.close(fd)


def _checkpoint_log(database: Path) -> None:
    """Apply the write-ahead log; closing the last connection then removes it."""
    with contextlib.closing(connection.open_control(database)) as db:
        empty_log(db)


def _prepare(path: Path, data: Path, manifest: Manifest, carried: Sequence[DictionaryRow], now_ms: int) -> None:
    with contextlib.closing(connection.open_control(path)) as db:
        with connection.immediate(db):
            dictionaries.add_rows(db, carried)
            restored.remove_stale_state(
                db,
                file=data.name,
                file_bytes=manifest.file_bytes,
                database_bytes=manifest.database_bytes,
                created_at_ms=manifest.created_at_ms,
                now_ms=now_ms,
            )
        empty_log(db)


def _keep_old(database: Path, now_ms: int) -> Path | None:
    """Give the old file a second name, so that there is no moment without a database (RESTORE-2, RESTORE-3)."""
    if not database.exists():
        return None
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    kept_path = database.with_name(f"{database.name}.before-restore-{stamp}")
    os.link(database, kept_path)
    for suffix in ("-wal", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            database.with_name(database.name + suffix).rename(kept_path.with_name(kept_path.name + suffix))
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    return kept_path
