"""The pid file of a running bloop: one supervisor per folder, and no new one before the old run's last process ended.

INSTANCE-1  A record lock on the file belongs to the supervisor alone: the kernel frees it when that process ends, for
    any reason. While it is held, a second supervisor is refused.
INSTANCE-2  Every process of the run inherits a flock on the same open file. After a supervisor was killed, the next one
    waits for it, so it never meets the port, the lanes or the locks of its predecessor's children.
INSTANCE-3  The file is removed while both locks are held. A process that opened the old file before notices that, and
    opens the new one.
INSTANCE-4  The first line is the supervisor's pid, the second its settings that other programs need to reach it, as
    JSON. They hold as long as the lock of INSTANCE-1 does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bloop.base.errors import BloopError, ConfigError

LEFTOVERS_WAIT_S = 15.0  # children die with their supervisor within milliseconds; this allows for a loaded machine
PID_FILE = "bloop.pid"  # in the run folder
FILE_BYTES_MAX = 64 * 1024
_LOOK_EVERY_S = 0.02
_FLOCK = struct.Struct("@hhqqi")  # struct flock of fcntl(2): type, whence, start, length, pid


class AlreadyRunning(BloopError):
    """Another bloop works on this data; the message names its process."""


class Instance:
    """The claim of this run on its folder. Keep one descriptor open: closing a second drops the lock of INSTANCE-1."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path, self.fd = path, fd

    @classmethod
    def claim(cls, path: Path, *, leftovers_wait_s: float = LEFTOVERS_WAIT_S) -> Instance:
        """Claim the folder for this bloop. Raises AlreadyRunning while another one has it."""
        deadline = time.monotonic() + leftovers_wait_s
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if _take(fd, path, deadline):
                os.truncate(fd, 0)
                os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                return cls(path, fd)
            os.close(fd)

    def publish(self, settings: Mapping[str, Any]) -> None:
        """Write the settings in force, by `section.key`, for programs that look for this bloop (INSTANCE-4)."""
        os.pwrite(self.fd, f"{os.getpid()}\n{json.dumps(dict(settings))}\n".encode(), 0)

    def release(self) -> None:
        """Remove the file and release the locks; idempotent."""
        if self.fd >= 0:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
            os.close(self.fd)
            self.fd = -1


class RunningInstance(NamedTuple):
    """A supervisor that runs now."""

    pid: int
    settings: Mapping[str, Any]  # as published, by `section.key`; empty until it has opened its port


def find_running(run_dir: Path) -> RunningInstance | None:
    """The supervisor that works in this folder; None when there is none, or when it is another user's.

    Never call this in the process that holds the claim: closing a second descriptor drops its lock (INSTANCE-1).
    """
    try:
        fd = os.open(run_dir / PID_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        lock = fcntl.fcntl(fd, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0))
        if _FLOCK.unpack(lock)[0] == fcntl.F_UNLCK:
            return None
        return _parse(os.pread(fd, FILE_BYTES_MAX, 0).decode(errors="replace"))
    finally:
        os.close(fd)


def _parse(text: str) -> RunningInstance | None:
    pid, _, published = text.partition("\n")
    try:
        settings = json.loads(published) if published.strip() else {}
        return RunningInstance(int(pid), settings if isinstance(settings, dict) else {})
    except ValueError:  # read while it was being written
        return None


@contextlib.contextmanager
def claimed(run_dir: Path) -> Iterator[None]:
    """Hold the claim on this folder, which is created if missing."""
    try:
        run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        instance = Instance.claim(run_dir / PID_FILE)
    except OSError as error:
        raise ConfigError("server.run_dir", f"cannot use {error.filename}: {error.strerror}") from error
    try:
        yield
    finally:
        instance.release()


def _take(fd: int, path: Path, deadline: float) -> bool:
    """Lock the open file both ways; False when it was removed in the meantime."""
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        pid = os.pread(fd, 32, 0).decode(errors="replace").partition("\n")[0] or "unknown"
        os.close(fd)
        raise AlreadyRunning(f"bloop already runs on this data: process {pid} holds {path}") from None
    while not _flocked(fd):
        if time.monotonic() > deadline:
            os.close(fd)
            raise AlreadyRunning(f"processes of an earlier run still hold {path}; end them first")
        time.sleep(_LOOK_EVERY_S)
    return os.fstat(fd).st_nlink > 0


def _flocked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
