"""The thread of the dashboard process that removes the rows of deleted projects.

J1  It works in transactions of ROWS_MAX rows and rests after each at least as long as it took, so the writer, which
    retries for the lock within milliseconds, waits for one of them at most.
J2  Nothing is remembered here: at its start and once a minute it looks for projects that are marked and not yet purged.
    A kill in the middle, or a project deleted by another process, costs time and nothing else.
J3  Its connection is open only while there is work.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bloop.base.errors import BloopError
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.checkpoint import checkpoint, on_commit
from bloop.db.engine import Db
from bloop.projects.purge import find_unindexed, purge_some
from bloop.projects.read import to_purge

ROWS_MAX = 1000
REST_S_MIN = 0.01
LOOK_EVERY_S = 60.0
STOP_S = 5.0
WAL_PAGES_MAX = 8192  # 32 MiB: while nothing is stored nobody else would empty the log

log = logging.getLogger(__name__)


class Purger:
    """`start` it after the fork, `stop` it before the process ends. `wake` may be called from any thread."""

    def __init__(self, path: Path | str, now_ms: Callable[[], int]) -> None:
        self._path, self._now_ms = path, now_ms
        self._wake, self._stop = threading.Event(), threading.Event()
        self._wal_pages = 0
        self._thread = threading.Thread(target=self._run, name="purger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def stop(self) -> None:
        """Return when the thread has ended; a transaction in progress is finished first."""
        self._stop.set()
        self._wake.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self._work()
            except (db_errors.Error, BloopError) as error:  # full, locked, not there: the same question in a minute
                log.warning("purging goes on later: %s", error, extra={"action": "purge_postponed"})
            self._wake.wait(LOOK_EVERY_S)

    def _work(self) -> None:
        with contextlib.closing(connection.open_control(self._path)) as db:
            on_commit(db, self._note_log)
            for project_id in to_purge(db):
                self._purge(db, project_id)

    def _purge(self, db: Db, project_id: int) -> None:
        started = time.monotonic()
        while not self._stop.is_set():
            step_started = time.monotonic()
            found = find_unindexed(db, project_id, ROWS_MAX)
            with connection.immediate(db):
                done = purge_some(db, project_id, found, rows_max=ROWS_MAX, now_ms=self._now_ms())
            if self._wal_pages > WAL_PAGES_MAX:
                checkpoint(db)
            if done:
                took_s = time.monotonic() - started
                log.info("purged project %d in %.1f s", project_id, took_s, extra={"action": "project_purged"})
                return
            self._stop.wait(max(REST_S_MIN, time.monotonic() - step_started))

    def _note_log(self, pages: int) -> None:
        self._wal_pages = pages
