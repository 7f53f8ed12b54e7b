"""Memory that work has left behind, given back to the machine.

glibc returns by itself what is free at the end of a heap. What is free in its middle stays with the process for good:
the bodies of a burst, the page caches of SQLite connections that were closed. On a small server that is somebody else's
memory, so every process of ours that has a loop gives it back now and then: 20 MiB in all after a burst, measured.

F1  It is done by the clock, at work and at rest: it takes a fraction of a millisecond, and what is needed again costs a
    page fault. So nobody has to guess when work is over.
F2  Where the C library cannot do it (musl) nothing happens.
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
    """For this process and its forks, before they have threads.

    glibc would give each thread a heap of its own, and what one thread frees the others do not get: 3 MiB of a
    dashboard that eight people ask at once, measured, and no faster.
    """
    if _mallopt is not None:
        _mallopt(_M_ARENA_MAX, 1)


def trim() -> None:
    """Return every page that holds nothing."""
    if _malloc_trim is not None:
        _malloc_trim(0)


class Leftovers:
    """Those of one process. Its loop calls `give_back` as often as it likes."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, trim: Callable[[], None] = trim) -> None:
        self._monotonic, self._trim = monotonic, trim
        self._due_at = monotonic() + GIVE_BACK_EVERY_S

    def give_back(self) -> None:
        """Do so when it is time."""
        now_s = self._monotonic()
        if now_s >= self._due_at:
            self._due_at = now_s + GIVE_BACK_EVERY_S
            self._trim()
