"""A backup of a database in use: copied, checked, packed, named.

BACKUP-1  The copy shows one moment (db/copies.py COPIES-1).
BACKUP-2  No process waits for it. Readers block no writer in WAL mode; the copy rests after every MiB. The write-ahead
    log cannot be emptied meanwhile; it grew by 10 MB while 280 MB were copied and 2,000 events a second stored. The
    slowest commit meanwhile took 19 ms as before; during `VACUUM INTO`, which is as quick, one took 80 ms.
BACKUP-3  A file with the name of a backup is complete: it gets its name after it is on the disk, the manifest last
    (MANIFEST-1).
BACKUP-4  It stops before the disk is full.

zstd level 3 packs it to a ninth of its size at 300 MB/s; level 1 to a seventh, level 6 to a tenth in twice the time
(errors of the demo, stacks included).
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import zstandard

import bloop
from bloop.backup import folder as folders
from bloop.backup import manifest as manifests
from bloop.backup.folder import Entry
from bloop.backup.inspect import applied_migrations, check_integrity, count_rows, database_id
from bloop.backup.manifest import FORMAT, Cause, Manifest
from bloop.backup.watch import Watch
from bloop.base.errors import BackupError
from bloop.db.connection import engine_version
from bloop.db.copies import copying, open_copy

STEP_PAGES = 256
REST_S = 0.001
PACK_LEVEL = 3
CHUNK_BYTES = 1024 * 1024


def create(
    database: Path, folder: Path, now_ms: int, *, cause: Cause = Cause.COMMAND, watch: Watch | None = None
) -> Entry:
    """Make a backup of `database` in `folder`.

    Raises:
        BackupError: not enough space, another backup is running there, or the database is damaged; Stopped when `watch`
            is stopping. No file is kept.
        OSError, db_errors.Error: an error of the disk or the database. No file is kept.
    """
    watch = watch or Watch()
    started = time.monotonic()
    if not database.exists():
        raise BackupError(f"there is no database {database}")
    with folders.temporary_folder(folder, watch) as making:
        copy, packed = making / "copy.db", making / "packed"
        _copy(database, copy, watch)
        with open_copy(copy) as db:
            problems = check_integrity(db, watch)
            if problems != "ok":
                raise BackupError(f"the database is damaged, so no backup was made: {problems}")
            rows, migrations, own_id = count_rows(db), applied_migrations(db), database_id(db)
        database_bytes = copy.stat().st_size
        sha256 = _pack(copy, packed, watch)
        copy.unlink()
        manifest = Manifest(
            format=FORMAT,
            cause=cause,
            created_at_ms=now_ms,
            duration_ms=round((time.monotonic() - started) * 1000),
            sha256=sha256,
            file_bytes=packed.stat().st_size,
            database_bytes=database_bytes,
            database_id=own_id,
            schema_version=max(map(int, migrations), default=0),
            migrations=migrations,
            rows=rows,
            integrity=problems,
            bloop_version=bloop.__version__,
            sqlite_version=engine_version(),
        )
        return _name(making, packed, folder, manifest)


def _copy(database: Path, copy: Path, watch: Watch) -> None:
    """Copy the database (BACKUP-1, BACKUP-2)."""
    _create_private(copy)
    with copying(database, copy) as work:
        watch.require_free(copy.parent, work.total_bytes * 5 // 4)  # and the packed file
        for done, total in work.steps(STEP_PAGES):
            watch.check("Copying", done, total)
            watch.check_disk(copy.parent)
            time.sleep(REST_S)


def _pack(copy: Path, packed: Path, watch: Watch) -> str:
    """Pack the copy, sync the packed file and return its SHA-256."""
    _create_private(packed)
    digest, size, done = hashlib.sha256(), copy.stat().st_size, 0
    packer = zstandard.ZstdCompressor(level=PACK_LEVEL, write_checksum=True).compressobj(size)
    with copy.open("rb") as source, packed.open("wb") as target:
        while chunk := source.read(CHUNK_BYTES):
            out = packer.compress(chunk)
            digest.update(out)
            target.write(out)
            done += len(chunk)
            watch.check("Packing", done, size)
            watch.check_disk(copy.parent)
        out = packer.flush()
        digest.update(out)
        target.write(out)
        target.flush()
        os.fsync(target.fileno())
    return digest.hexdigest()


def _name(making: Path, packed: Path, folder: Path, manifest: Manifest) -> Entry:
    """Move both files into place (BACKUP-3). After a kill in between, the next sweep removes the files (FOLDER-2)."""
    data = folder / manifests.new_name(manifest.created_at_ms, os.listdir(folder))
    waiting = making / manifests.manifest_path(data).name
    _create_private(waiting)
    with waiting.open("wb") as file:
        file.write(manifests.render(manifest))
        file.flush()
        os.fsync(file.fileno())
    packed.rename(data)
    sync_folder(folder)
    waiting.rename(folder / waiting.name)
    sync_folder(folder)
    return Entry(data, manifest)


def _create_private(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))


def sync_folder(folder: Path) -> None:
    """Sync the folder, so that the names in it are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
