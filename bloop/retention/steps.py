"""Bulk writes that do not disturb the writer: short transactions, rests between them, a small write-ahead log.

STEPS-1  No transaction works longer than HOLD_S and its commit, and a rest at least as long follows: the writer, which
    retries the lock within milliseconds, waits for one step at most. (On two busy cores, 5 ms of work held it for 15 ms
    at the 99th percentile, 10 ms of work for 32.) Callers find and read the rows of a step before they take the lock.
STEPS-2  The write-ahead log stays small even if no other process empties it. Checkpoints are passive: they wait for no
    reader and block no writer. If a long reader keeps the log from being emptied, steps become rare.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.checkpoint import checkpoint, on_commit
from bloop.db.engine import Db

HOLD_S = 0.005
REST_S_MIN = 0.010
WAL_PAGES_MAX = 8192  # 32 MiB before a checkpoint is tried
WAL_PAGES_LOW_DISK = 256  # 1 MiB: the log takes disk space too
WAL_PAGES_BRAKE = 32_768  # 128 MiB: a reader keeps the log from being emptied
BRAKE_S = 1.0


class Hold:
    """Measures how long the write lock is held."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since

    @property
    def is_over(self) -> bool:
        """Whether it is time to commit."""
        return self.seconds >= HOLD_S


class Steps:
    """Runs steps on one connection, which it uses alone."""

    def __init__(self, db: Db, *, disk_is_low: Callable[[], bool] = lambda: False) -> None:
        self._db, self.disk_is_low = db, disk_is_low
        self._held_s = self.held_s_max = 0.0
        self._wal_pages = 0
        on_commit(db, self._note_log)

    @contextlib.contextmanager
    def step(self) -> Iterator[Hold]:
        """One transaction; its body checks `is_over` often (STEPS-1)."""
        with connection.immediate(self._db):
            hold = Hold()
            yield hold
        self._held_s = hold.seconds
        self.held_s_max = max(self.held_s_max, self._held_s)

    def rest_s(self) -> float:
        """Checkpoint if needed (STEPS-2), then return how long to rest after the last step."""
        pages_max = WAL_PAGES_LOW_DISK if self.disk_is_low() else WAL_PAGES_MAX
        if self._wal_pages > pages_max and not self.checkpoint() and self._wal_pages > WAL_PAGES_BRAKE:
            return BRAKE_S
        return max(REST_S_MIN, self._held_s)

    def checkpoint(self) -> bool:
        """Checkpoint; True when the whole log is in the database, so that the next commit starts it again."""
        try:
            is_empty = checkpoint(self._db)
        except db_errors.BusyError:  # the writer is checkpointing
            return False
        if is_empty:
            self._wal_pages = 0
        return is_empty

    def _note_log(self, pages: int) -> None:
        self._wal_pages = pages
