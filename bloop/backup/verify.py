"""Is a backup what its manifest says, and can bloop work with it?

V1  Every byte counts: of the manifest (manifest M2) and of the packed file, whose SHA-256 stands in it. What unpacks is
    compared with the rest of what the manifest says: size, integrity, rows, migrations.
V2  What is unpacked goes into a folder nobody else sees, never past the size the manifest says, and is gone after.
V3  A restore drill goes all the way: unpack, migrate to this bloop's schema, open as the dashboard does, read issues
    and projects. A backup that passed it will restore.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import apsw
import zstandard

from bloop.backup import manifest as manifests
from bloop.backup.create import CHUNK_BYTES
from bloop.backup.folder import LOCK_WAIT_S, working_in
from bloop.backup.inspect import applied, count_rows, integrity, opened
from bloop.backup.manifest import Manifest
from bloop.backup.watch import Watch
from bloop.base.errors import BackupError
from bloop.db import connection, migrate
from bloop.issues.counts.stats import stats
from bloop.issues.events.read import list_events
from bloop.issues.read import IssueFilter, list_issues
from bloop.projects.read import list_projects

WINDOW_BYTES_MAX = 8 * 1024 * 1024  # far above what level 3 packs with
ISSUES_READ = 10
_UNPACKED = "restored.db"


def verify(data: Path, watch: Watch | None = None) -> Manifest:
    """Unpack it into a temporary folder beside it and compare (V1, V2).

    Raises:
        BackupError: a byte is wrong, or there is no room to look; Stopped when `watch` says so.
    """
    with unpacked(data, watch or Watch()) as (_, manifest):
        return manifest


def verify_bytes(data: Path, watch: Watch | None = None) -> Manifest:
    """Only the manifest and the packed file's SHA-256: needs no room, and finds what storage did to the bytes.

    Raises:
        BackupError: a byte is wrong.
    """
    watch, manifest = watch or Watch(), manifests.read(data)
    with _open_packed(data, manifest) as file:
        source = _Hashing(file, manifest, watch, "Reading")
        source.finish()
    return manifest


def drill(data: Path, now_ms: int, watch: Watch | None = None) -> Manifest:
    """V3. Raises: StorageError (BackupError is one) when it would not restore."""
    watch = watch or Watch()
    with unpacked(data, watch) as (path, manifest):
        migrate.migrate(path, now_ms)
        try:
            with contextlib.closing(connection.open_reader(path)) as db:
                _work_as_bloop_would(db, manifest, now_ms)
        except apsw.Error as error:
            raise BackupError(f"the restored database does not answer: {error}") from error
        watch.look("Trying", 1, 1)
        return manifest


def _work_as_bloop_would(db: apsw.Connection, manifest: Manifest, now_ms: int) -> None:
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
    """The database in a folder of its own in `beside`, the backup's own folder otherwise: compared, and gone after.

    Raises:
        BackupError: see `verify`.
    """
    manifest = manifests.read(data)
    folder = beside or data.parent
    watch.need(folder, manifest.database_bytes)
    with working_in(folder, watch, wait_s=LOCK_WAIT_S) as making:
        path = making / _UNPACKED
        unpack(data, manifest, path, watch)
        with opened(path) as db:
            found = integrity(db, watch)
            if found != manifest.integrity:
                raise BackupError(f"what {data.name} unpacks to is damaged: {found}")
            if applied(db) != manifest.migrations or count_rows(db) != manifest.rows:
                raise BackupError(f"what {data.name} unpacks to does not have the rows its manifest says")
        yield path, manifest


def unpack(data: Path, manifest: Manifest, target: Path, watch: Watch) -> None:
    """Write the database to `target`, which must not exist; it is on the disk when this returns.

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
                    watch.look_at_disk(target.parent)
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
    """Reads a packed file on somebody's behalf; `finish` says whether all of it was what the manifest says."""

    def __init__(self, file: BinaryIO, manifest: Manifest, watch: Watch, step: str) -> None:
        self._file, self._manifest, self._watch, self._step = file, manifest, watch, step
        self._digest, self._done = hashlib.sha256(), 0

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        chunk = self._file.read(size)
        self._digest.update(chunk)
        self._done += len(chunk)
        self._watch.look(self._step, self._done, self._manifest.file_bytes)
        return chunk

    def finish(self) -> None:
        """Raises: BackupError."""
        while self.read():
            pass
        if self._digest.hexdigest() != self._manifest.sha256:
            raise BackupError(f"{Path(self._file.name).name} is damaged: its SHA-256 is not the one in its manifest")
