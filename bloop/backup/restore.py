"""A backup takes the place of the database.

T1  Only while nobody has the database open: every connection of every process holds SQLite's shared lock, and we take
    it all for ourselves until the new file is in place.
T2  The database that was there is kept beside the new one as `<name>.before-restore-<time>`, with its log if that could
    not be brought in. The log never stays under the old name: SQLite would apply it to the new file.
T3  The new file appears by one rename, checked, migrated and on the disk. Killed at any moment, the old database is
    there or the new one.
T4  What must not come back with it does not (backup/restored.py).
T5  Dictionaries of the database that was there come along: events that wait in the ring may be packed with them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import apsw

from bloop.backup import restored
from bloop.backup.create import sync_folder
from bloop.backup.manifest import Manifest
from bloop.backup.manifest import read as read_manifest
from bloop.backup.verify import unpacked
from bloop.backup.watch import Watch
from bloop.base.errors import BackupError, SchemaTooNew, StorageError
from bloop.db import connection, migrate
from bloop.issues.events import dictionaries
from bloop.issues.events.dictionaries import DictionaryRow

# Where SQLite locks a database file (sqlite.org/fileformat2.html has the page, os.h the rest).
_SHARED_FIRST, _SHARED_BYTES = 0x4000_0002, 510


class Restored(NamedTuple):
    manifest: Manifest
    kept: Path | None  # where the old database is; None when there was none
    migrations: list[str]  # that the backup did not have yet


def restore(data: Path, database: Path, now_ms: int, watch: Watch | None = None) -> Restored:
    """Put what the backup `data` holds in the place of `database`.

    Raises:
        BackupError: it is damaged, there is no room, or a process has the database open. Nothing was changed.
        SchemaTooNew: a later bloop made it.
    """
    watch = watch or Watch()
    manifest = read_manifest(data)
    newest = len(migrate.shipped())
    if manifest.schema_version > newest:
        raise SchemaTooNew(
            f"{data.name} has schema version {manifest.schema_version}, this bloop knows up to {newest}: upgrade bloop"
        )
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone_with(database):
        pass  # said at once, not after minutes of unpacking
    carried = restored.carried_over(database)
    with unpacked(data, watch, beside=database.parent) as (path, _):
        migrations = [one.name for one in migrate.migrate(path, now_ms)]
        _settle(path, data, manifest, carried, now_ms)
        with alone_with(database):
            kept = _move_away(database, now_ms)
            path.replace(database)
            sync_folder(database.parent)
    return Restored(manifest, kept, migrations)


@contextlib.contextmanager
def alone_with(database: Path) -> Iterator[None]:
    """Nobody else has the database open meanwhile, nor can open it (T1).

    Raises:
        BackupError: somebody has.
    """
    if not database.exists():
        yield
        return
    with _locked(database):
        pass
    with contextlib.suppress(apsw.Error, StorageError):  # a damaged one is kept with its log instead
        _bring_in_log(database)
    with _locked(database):  # no SQLite from here on: it would drop this lock when it closes the file
        yield


@contextlib.contextmanager
def _locked(database: Path) -> Iterator[None]:
    fd = os.open(database, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):  # POSIX allows both
            raise BackupError(f"a process has {database} open: stop bloop first") from None
        yield
    finally:
        os.close(fd)


def _bring_in_log(database: Path) -> None:
    """The last connection to close takes the log with it."""
    with contextlib.closing(connection.open_control(database)) as db:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _settle(path: Path, data: Path, manifest: Manifest, carried: Sequence[DictionaryRow], now_ms: int) -> None:
    with contextlib.closing(connection.open_control(path)) as db:
        with connection.immediate(db):
            dictionaries.add_rows(db, carried)
            restored.settle(
                db,
                file=data.name,
                file_bytes=manifest.file_bytes,
                database_bytes=manifest.database_bytes,
                created_at_ms=manifest.created_at_ms,
                now_ms=now_ms,
            )
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _move_away(database: Path, now_ms: int) -> Path | None:
    """A second name for the old file, so that there is no moment without a database (T2, T3)."""
    if not database.exists():
        return None
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    kept = database.with_name(f"{database.name}.before-restore-{stamp}")
    os.link(database, kept)
    for suffix in ("-wal", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            database.with_name(database.name + suffix).rename(kept.with_name(kept.name + suffix))
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    return kept
