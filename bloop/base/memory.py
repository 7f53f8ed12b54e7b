"""Returns freed memory to the machine.

glibc by itself returns only free memory at the end of a heap. Free memory in its middle stays with the process: the
bodies of a burst, the page caches of closed SQLite connections. A small server needs that memory elsewhere, so every
process of ours with a loop returns it regularly: 20 MiB in all after a burst, measured.

MEMORY-1  It is done by the clock, under load and at rest: it takes a fraction of a millisecond, and memory that is
    needed again costs a page fault. So no code has to guess when work is over.
MEMORY-2  Without support in the C library (musl) nothing happens.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

GIVE_BACK_EVERY_S = 10.0

_M_ARENA_MAX = -8  # malloc.h

_libc = ctypes.CDLL(None)
_malloc_trim, _mallopt = getattr(_libc, "malloc_trim", None), getattr(_libc, "mallopt", None)


def use_one_heap() -> None:
    """Use one heap for all threads. Call before the process and its forks have threads.

    By default glibc gives each thread a heap of its own and does not share freed memory between them: 3 MiB in a
    dashboard with eight concurrent requests, measured, and no faster.
    """
    if _mallopt is not None:
        _mallopt(_M_ARENA_MAX, 1)


def trim() -> None:
    """Return every free page."""
    if _malloc_trim is not None:
        _malloc_trim(0)


class Leftovers:
    """The freed memory of one process. Its loop may call `give_back` at any rate."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, trim: Callable[[], None] = trim) -> None:
        self._monotonic, self._trim = monotonic, trim
        self._due_at = monotonic() + GIVE_BACK_EVERY_S

    def give_back(self) -> None:
        """Return it, at most every GIVE_BACK_EVERY_S."""
        now_s = self._monotonic()
        if now_s >= self._due_at:
            self._due_at = now_s + GIVE_BACK_EVERY_S
            self._trim()
