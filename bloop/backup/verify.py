"""Checks a backup against its manifest, and on request that bloop can work with the restored database.

VERIFY-1  Every byte counts: of the manifest (MANIFEST-2) and of the packed file, whose SHA-256 is in it. The unpacked
    database is compared with the manifest's size, integrity, rows and migrations.
VERIFY-2  The database is unpacked into a private folder, never past the size in the manifest, and removed afterwards.
VERIFY-3  A restore drill does everything: unpack, migrate to this bloop's schema, open as the dashboard does, read
    issues and projects. A backup that passed it will restore.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from bloop.backup import manifest as manifests
from bloop.backup.create import CHUNK_BYTES
from bloop.backup.folder import LOCK_WAIT_S, temporary_folder
from bloop.backup.inspect import applied_migrations, check_integrity, count_rows
from bloop.backup.manifest import Manifest
from bloop.backup.watch import Watch
from bloop.base.errors import BackupError
from bloop.db import connection, migrate
from bloop.db import errors as db_errors
from bloop.db.copies import open_copy
from bloop.db.engine import Db
from bloop.issues.counts.read import stats
from bloop.issues.events.read import list_events
from bloop.issues.read import IssueFilter, list_issues
from bloop.projects.read import list_projects

WINDOW_BYTES_MAX = 8 * 1024 * 1024  # far above the window of level 3
ISSUES_READ = 10
_UNPACKED = "restored.db"


def verify(data: Path, watch: Watch | None = None) -> Manifest:
    """Unpack the backup into a temporary folder beside it and compare (VERIFY-1, VERIFY-2).

    Raises:
        BackupError: a byte is wrong, or the disk has not enough space; Stopped when `watch` is stopping.
    """
    with unpacked(data, watch or Watch()) as (_, manifest):
        return manifest


def verify_bytes(data: Path, watch: Watch | None = None) -> Manifest:
    """Check only the manifest and the packed file's SHA-256: needs no space, and finds bytes damaged in storage.

    Raises:
        BackupError: a byte is wrong.
    """
    watch, manifest = watch or Watch(), manifests.read(data)
    with _open_packed(data, manifest) as file:
        source = _Hashing(file, manifest, watch, "Reading")
        source.finish()
    return manifest


def drill(data: Path, now_ms: int, watch: Watch | None = None) -> Manifest:
    """Restore on trial (VERIFY-3). Raises: StorageError (BackupError is one) when it would not restore."""
    watch = watch or Watch()
    with unpacked(data, watch) as (path, manifest):
        migrate.migrate(path, now_ms)
        try:
            with contextlib.closing(connection.open_reader(path)) as db:
                _read_like_dashboard(db, manifest, now_ms)
        except db_errors.Error as error:
            raise BackupError(f"the restored database does not answer: {error}") from error
        watch.check("Trying", 1, 1)
        return manifest


def _read_like_dashboard(db: Db, manifest: Manifest, now_ms: int) -> None:
    rows = count_rows(db)
    if lost := [table for table, count in manifest.rows.items() if rows.get(table, 0) < count]:
        raise BackupError(f"migrating the restored database lost rows of {', '.join(lost)}")
    project_ids = [project.id for project in list_projects(db)]
    page = list_issues(db, project_ids, IssueFilter(), limit=ISSUES_READ)
    if stats(db, project_ids, now_ms).issues_total and not page.rows:
        raise BackupError("the restored database has issues and lists none")
    for issue in page.rows:
        list_events(db, [issue.id], limit=1)


@contextlib.contextmanager
def unpacked(data: Path, watch: Watch, *, beside: Path | None = None) -> Iterator[tuple[Path, Manifest]]:
    """The unpacked and compared database, in a temporary folder in `beside`, by default the backup's folder.

    Raises:
        BackupError: see `verify`.
    """
    manifest = manifests.read(data)
    folder = beside or data.parent
    watch.require_free(folder, manifest.database_bytes)
    with temporary_folder(folder, watch, wait_s=LOCK_WAIT_S) as making:
        path = making / _UNPACKED
        unpack(data, manifest, path, watch)
        with open_copy(path) as db:
            problems = check_integrity(db, watch)
            if problems != manifest.integrity:
                raise BackupError(f"{data.name} unpacks to a damaged database: {problems}")
            if applied_migrations(db) != manifest.migrations or count_rows(db) != manifest.rows:
                raise BackupError(f"{data.name} unpacks to a database without the rows in its manifest")
        yield path, manifest


def unpack(data: Path, manifest: Manifest, target: Path, watch: Watch) -> None:
    """Write the database to `target`, which must not exist, and sync it.

    Raises:
        BackupError: a byte is wrong.
    """
    unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as out, _open_packed(data, manifest) as file:
        source, written = _Hashing(file, manifest, watch, "Unpacking"), 0
        try:
            with unpacker.stream_reader(cast(BinaryIO, source), closefd=False) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    written += len(chunk)
                    if written > manifest.database_bytes:
                        raise BackupError(f"{data.name} unpacks to more than its manifest says")
                    out.write(chunk)
                    watch.check_disk(target.parent)
        except zstandard.ZstdError as error:
            raise BackupError(f"{data.name} is damaged: {error}") from None
        source.finish()
        if written != manifest.database_bytes:
            raise BackupError(f"{data.name} unpacks to less than its manifest says")
        out.flush()
        os.fsync(out.fileno())


def _open_packed(data: Path, manifest: Manifest) -> BinaryIO:
    file = data.open("rb")
    if os.fstat(file.fileno()).st_size != manifest.file_bytes:
        file.close()
        raise BackupError(f"{data.name} does not have the size its manifest says")
    return file


class _Hashing:
    """Reads a packed file for the unpacker; `finish` checks all of it against the manifest's SHA-256."""

    def __init__(self, file: BinaryIO, manifest: Manifest, watch: Watch, step: str) -> None:
        self._file, self._manifest, self._watch, self._step = file, manifest, watch, step
        self._digest, self._done = hashlib.sha256(), 0

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        chunk = self._file.read(size)
        self._digest.update(chunk)
        self._done += len(chunk)
        self._watch.check(self._step, self._done, self._manifest.file_bytes)
        return chunk

    def finish(self) -> None:
        """Read to the end. Raises: BackupError when the SHA-256 differs."""
        while self.read():
            pass
        if self._digest.hexdigest() != self._manifest.sha256:
            raise BackupError(f"{Path(self._file.name).name} is damaged: its SHA-256 is not the one in its manifest")
