"""Writing a lot beside a writer that does not notice: short transactions, rests between them, a log that stays small.

V1  No transaction works longer than HOLD_S and its commit, and after each comes a rest at least as long: the writer,
    which looks for the lock within milliseconds, waits for one step at most. (On two busy cores, 5 ms of work held it
    for 15 ms at the 99th percentile, 10 ms of work for 32.) Whoever calls finds and reads what a step will touch before
    it takes the lock.
V2  The log of the database stays small while nobody else empties it. Checkpoints are passive: they wait for no reader
    and hold no writer up. If a long reader keeps the log from being emptied, steps become rare.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import apsw

from bloop.db import connection

HOLD_S = 0.005
REST_S_MIN = 0.010
WAL_PAGES_MAX = 8192  # 32 MiB before a checkpoint is tried
WAL_PAGES_LOW_DISK = 256  # 1 MiB: the log, too, takes room
WAL_PAGES_BRAKE = 32_768  # 128 MiB: something keeps the log from being emptied
BRAKE_S = 1.0


class Hold:
    """How long the write lock is held."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._since

    @property
    def is_over(self) -> bool:
        """Time to commit."""
        return self.seconds >= HOLD_S


class Steps:
    """The steps on one connection, which nobody else uses meanwhile."""

    def __init__(self, db: apsw.Connection, *, disk_is_low: Callable[[], bool] = lambda: False) -> None:
        self._db, self.disk_is_low = db, disk_is_low
        self._held_s = self.held_s_max = 0.0
        self._wal_pages = 0
        db.set_wal_hook(self._on_commit)

    @contextlib.contextmanager
    def step(self) -> Iterator[Hold]:
        """One transaction; its body looks at `is_over` often (V1)."""
        with connection.immediate(self._db):
            hold = Hold()
            yield hold
        self._held_s = hold.seconds
        self.held_s_max = max(self.held_s_max, self._held_s)

    def rest_s(self) -> float:
        """How long to rest after the step just made; sees to the log first (V2)."""
        pages_max = WAL_PAGES_LOW_DISK if self.disk_is_low() else WAL_PAGES_MAX
        if self._wal_pages > pages_max and not self.checkpoint() and self._wal_pages > WAL_PAGES_BRAKE:
            return BRAKE_S
        return max(REST_S_MIN, self._held_s)

    def checkpoint(self) -> bool:
        """Whether all of the log is in the database now, so that the next commit starts it again."""
        try:
            in_log, done = self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:  # the writer is at it
            return False
        if in_log == done:
            self._wal_pages = 0
        return in_log == done

    def _on_commit(self, _db: apsw.Connection, _schema: str, wal_pages: int) -> int:
        self._wal_pages = wal_pages
        return apsw.SQLITE_OK
