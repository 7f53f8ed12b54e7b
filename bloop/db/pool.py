"""The dashboard's connections: a small pool of readers and one connection for changes.

POOL-1  Nothing opens before first use, so a process that forks after building the app shares no connection.
POOL-2  A connection is used by one thread at a time; a thread that finds none free waits, for a bounded time.
POOL-3  A reader sees one snapshot, and all its statements together may take `query_timeout_ms`.
POOL-4  A change is one BEGIN IMMEDIATE transaction. SQLite waits for the writer at most its busy timeout; then the
    change is refused, never half done.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import apsw

from bloop.base.errors import DatabaseBusy, DatabaseDamaged, StorageError
from bloop.db import connection
from bloop.db.engine import Db
from bloop.db.errors import DAMAGE_ERRORS

T = TypeVar("T")

WAIT_S = 5.0  # for a free connection

log = logging.getLogger(__name__)


class DatabasePool:
    """Safe to share between threads. Call `close` when no thread uses it any more."""

    def __init__(self, path: Path | str, *, pool_size: int, query_timeout_ms: int) -> None:
        self._path, self._query_timeout_ms = path, query_timeout_ms
        self._connections: queue.LifoQueue[apsw.Connection | None] = queue.LifoQueue()  # LIFO: the warmest cache first
        self._pool_size = pool_size
        for _ in range(pool_size):
            self._connections.put(None)
        self._control: apsw.Connection | None = None
        self._control_lock = threading.Lock()
        self.is_damaged = False  # a statement met a damaged page; a restored backup comes with a new process

    @contextlib.contextmanager
    def reader(self, *, wait_s: float = WAIT_S) -> Iterator[Db]:
        """A read-only connection inside a read transaction (POOL-3). Not re-entrant: one at a time per thread.

        Raises:
            QueryTimeout: the block's statements ran longer than the limit.
            DatabaseBusy: every connection is in use and none became free in time.
            DatabaseDamaged: a statement met a damaged page.
        """
        try:
            db = self._connections.get(timeout=wait_s)
        except queue.Empty:
            raise DatabaseBusy("too many queries are running; try again") from None
        try:
            db = db or connection.sqlite(connection.open_reader(self._path))
            with connection.time_limit(db, self._query_timeout_ms), db:
                yield db
        except apsw.BusyError as error:  # rare for a reader: the log is being recovered after a crash
            raise DatabaseBusy("the database is busy; try again") from error
        except DAMAGE_ERRORS as error:
            raise self._damaged(error) from error
        finally:
            self._connections.put(db)

    def change(self, do: Callable[[Db], T], *, wait: bool = True) -> T:
        """Run `do` in one write transaction and return what it returns; `wait=False` fails at once when busy.

        Raises:
            DatabaseBusy: another process or thread held the write lock for too long.
            StorageError: the disk is full or fails, or the file is damaged.
        """
        if not self._control_lock.acquire(timeout=WAIT_S if wait else 0):
            raise DatabaseBusy("the database is busy; try again")
        try:
            db = self._control = self._control or connection.sqlite(connection.open_control(self._path))
            db.set_busy_timeout(connection.BUSY_TIMEOUT_MS if wait else 0)
            with connection.immediate(db):
                result = do(db)
            return result  # noqa: RET504 - typed `with db` may swallow, so a return inside it does not satisfy mypy
        except apsw.BusyError as error:
            raise DatabaseBusy("the database is busy; try again") from error
        except (apsw.FullError, apsw.IOError) as error:
            log.error("a change was not stored: %s", error, extra={"action": "change_failed"})
            raise StorageError("the database cannot be written right now; is the disk full?") from error
        except DAMAGE_ERRORS as error:
            raise self._damaged(error) from error
        finally:
            self._control_lock.release()

    def _damaged(self, error: Exception) -> DatabaseDamaged:
        log.error("the database is damaged: %s", error, extra={"action": "db_damaged"})
        self.is_damaged = True
        return DatabaseDamaged("the database is damaged; an operator must restore a backup")

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._control_lock:
            if self._control is not None:
                self._control.close()
                self._control = None
        with contextlib.suppress(queue.Empty):
            while True:
                db = self._connections.get_nowait()
                if db is not None:
                    db.close()
