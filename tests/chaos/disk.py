"""A full disk, and a database that another process has locked.

FULLDISK-1  If this user may mount, the database is on its own file system, and a ballast file fills that. If not, a
    limit on the size of the writer's files replaces it: SQLite then fails in the middle of a write, the harder case.
FULLDISK-2  Another process holds the lock: locks of one process never conflict with each other, and closing any
    descriptor of a file drops all of them.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.harness import BloopServer

MIB = 1024 * 1024
DISK_BYTES = 384 * MIB
FREE_BYTES_MIN = 48 * MIB
_LEFT_BYTES = 16 * MIB  # left free by the ballast: far below the minimum
_FILE_BYTES_MAX = 4096  # less than any database

_HOLD_LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
db.execute(f"PRAGMA locking_mode = {sys.argv[2]}")
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
db.execute("ROLLBACK")
"""


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Make `folder` a file system of DISK_BYTES, if that is allowed."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "bloop-chaos", str(folder)]
    with contextlib.suppress(OSError):
        subprocess.run(mount, capture_output=True, check=False)
    try:
        yield
    finally:
        if os.path.ismount(folder):
            subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def fill_disk(server: BloopServer) -> Iterator[None]:
    """No free space for the writer (FULLDISK-1)."""
    disk = server.database_path.parent
    if os.path.ismount(disk):
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - _LEFT_BYTES)
        try:
            yield
        finally:
            ballast.unlink()
        return
    (writer,) = server.pids("writer")
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (_FILE_BYTES_MAX, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(writer, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def locked(database: Path, *, to_readers: bool = False) -> Iterator[None]:
    """Another process holds the write lock (FULLDISK-2), or the whole file, which no process may have open then."""
    command = [sys.executable, "-c", _HOLD_LOCK, str(database), "EXCLUSIVE" if to_readers else "NORMAL"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait(10)
