"""The thread of the dashboard process that removes the rows of deleted projects.

PURGER-1  It works in transactions of ROWS_MAX rows and pauses after each at least as long as it took, so the writer,
          which retries for the lock within milliseconds, waits for one of them at most.
PURGER-2  It keeps no state: at its start and once a minute it looks for projects that are marked and not yet purged.
          A kill in the middle, or a project deleted by another process, costs only time.
PURGER-3  Its connection is open only while there is work.
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
from bloop.projects.purge import find_unindexed_rows, purge_batch
from bloop.projects.read import list_projects_to_purge

ROWS_MAX = 1000
PAUSE_S_MIN = 0.01
LOOK_EVERY_S = 60.0
STOP_S = 5.0
WAL_PAGES_MAX = 8192  # 32 MiB: while no event is stored, nothing else checkpoints the WAL

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
        """Look for deleted projects now."""
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
            except (db_errors.Error, BloopError) as error:  # full, locked, missing: try again in a minute
                log.warning("purge postponed: %s", error, extra={"action": "purge_postponed"})
            self._wake.wait(LOOK_EVERY_S)

    def _work(self) -> None:
        with contextlib.closing(connection.open_control(self._path)) as db:
            on_commit(db, self._record_wal_pages)
            for project_id in list_projects_to_purge(db):
                self._purge(db, project_id)

    def _purge(self, db: Db, project_id: int) -> None:
        started = time.monotonic()
        while not self._stop.is_set():
            step_started = time.monotonic()
            unindexed = find_unindexed_rows(db, project_id, ROWS_MAX)
            with connection.immediate(db):
                done = purge_batch(db, project_id, unindexed, rows_max=ROWS_MAX, now_ms=self._now_ms())
            if self._wal_pages > WAL_PAGES_MAX:
                checkpoint(db)
            if done:
                took_s = time.monotonic() - started
                log.info("purged project %d in %.1f s", project_id, took_s, extra={"action": "project_purged"})
                return
            self._stop.wait(max(PAUSE_S_MIN, time.monotonic() - step_started))

    def _record_wal_pages(self, pages: int) -> None:
        self._wal_pages = pages
