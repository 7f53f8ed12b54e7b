"""POSIX record locks on single bytes of a file: claims that the kernel takes back when their process dies.

They belong to a process and a file, not to a descriptor. Three things follow, and `mapping.py` handles each:

* Closing *any* descriptor of the file drops every lock the process holds on it, so a process keeps one mapping per
  segment and never opens the segment a second time while it has claims.
* A process never conflicts with itself, so claims inside one process are kept in a table of its own.
* A forked child has none of its parent's locks.
"""

from __future__ import annotations

import fcntl
import struct
import time

from bloop.base.errors import RingError

# Linux `struct flock`: type, whence, start, length, pid; padded to the alignment of its 64-bit fields.
_FLOCK = struct.Struct("@hhqqi0q")


def try_lock(fd: int, byte: int) -> bool:
    """Take one byte; False at once when another process has it."""
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except (BlockingIOError, PermissionError):  # POSIX lets a system answer EAGAIN or EACCES
        return False
    return True


def lock(fd: int, byte: int, *, within_s: float) -> None:
    """Take one byte that others hold for moments only; RingError when it is not free within `within_s`."""
    deadline = time.monotonic() + within_s
    while not try_lock(fd, byte):
        if time.monotonic() > deadline:
            raise RingError(f"another process holds the ring's lock {byte} for more than {within_s:g} s")
        time.sleep(0.001)


def unlock(fd: int, byte: int) -> None:
    fcntl.lockf(fd, fcntl.LOCK_UN, 1, byte)


def is_held_elsewhere(fd: int, byte: int) -> bool:
    """Whether *another* process has the byte. Asks without taking it, so it never disturbs a claim in progress."""
    question = _FLOCK.pack(fcntl.F_WRLCK, 0, byte, 1, 0)
    answer = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, question))
    return bool(answer[0] != fcntl.F_UNLCK)
