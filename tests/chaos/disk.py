"""A disk that takes no more, and a database that somebody else holds.

D1  Where this user may mount, the database lies on a file system of its own, and a ballast file fills that. Where not,
    a limit on the size of the writer's files takes its place: SQLite gets an error in the middle of a write, which is
    the harder way to find out.
D2  The lock is held by another process: locks of one process never stand in its own way, and closing any descriptor of
    a file drops all of them.
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
_LEFT_BYTES = 16 * MIB  # what the ballast leaves: far below the minimum
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
def full(server: BloopServer) -> Iterator[None]:
    """No more room for the writer (D1)."""
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
    """Another process holds the write lock (D2), or the whole file, which nobody may have open then."""
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
