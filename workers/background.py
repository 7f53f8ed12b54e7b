"""The loop of a process that works in the background (alerts, retention): jobs by the clock on one connection.

BACKGROUND-1  A job that fails is logged and tried again after a back-off; the other jobs continue. A full disk, a
    locked database and a receiver that is down are expected.
BACKGROUND-2  The process records a few times a minute that it is alive and which troubles it has (processes/store.py).
    `/health` and the banners report a missing heartbeat, so a process that hangs is noticed like one that died. A job
    that met a damaged page is such a trouble, until it runs well.
BACKGROUND-3  SIGTERM ends the loop between two jobs. A job that takes long checks `stopping` itself.
BACKGROUND-4  The process may start before the writer has created or migrated the database, and waits for that.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.base.memory import Leftovers
from bloop.base.reasons import Reason
from bloop.db import connection, migrate
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.db.errors import DAMAGE_ERRORS
from bloop.processes.read import SEEN_EVERY_S
from bloop.processes.store import store_heartbeat
from workers import process
from workers.wakeups import Wakeups

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 60.0
DATABASE_POLL_S = 0.2
EXPECTED = (db_errors.Error, BloopError, OSError)

log = logging.getLogger(__name__)

Stopping = Callable[[], bool]


@dataclass
class Job:
    """`run` works once and returns after how many seconds to run it again; `troubles` is read after each run; `finish`
    is called once at the end."""

    name: str
    run: Callable[[], float]
    troubles: Callable[[], Iterable[Reason]] = tuple
    finish: Callable[[], None] = lambda: None
    due_at: float = float("-inf")  # monotonic: at once
    failures: int = field(default=0)
    is_damaged: bool = field(default=False)  # the last run met a damaged page of the database


class BackgroundProcess:
    """The job loop of one process. Main thread only: it handles SIGTERM, SIGINT and SIGCHLD."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name, self._settings = name, settings
        self._wakeups = Wakeups()
        self._started_ms = clock.now_ms()
        self._recorded_at = float("-inf")
        self._recorded_troubles: frozenset[Reason] | None = None
        self._leftovers = Leftovers()

    def stopping(self) -> bool:
        process.unit.alive()  # a job that calls this is not hanging
        return self._wakeups.stops > 0

    def run(self, make_jobs: Callable[[Db, Stopping], Sequence[Job]]) -> int:
        """Work until asked to stop. `make_jobs` gets the control connection the jobs share."""
        self._wait_until(self._settings.database_path.exists)
        if self.stopping():
            return 0
        with contextlib.closing(connection.open_control(self._settings.database_path)) as db:
            self._wait_until(lambda: not migrate.pending(db))
            jobs = make_jobs(db, self.stopping)
            log.info("ready", extra={"action": "ready"})
            process.unit.ready("working")
            while not self.stopping():
                for job in jobs:
                    if job.due_at <= time.monotonic() and not self.stopping():
                        self._run(job)
                        self._say_alive(db, jobs)
                self._say_alive(db, jobs)
                self._leftovers.give_back()
                wait_s = max(0.0, min(job.due_at for job in jobs) - time.monotonic())
                self._wakeups.wait(min(wait_s, SEEN_EVERY_S, process.unit.ping_every_s or SEEN_EVERY_S))
            process.unit.stopping()
            for job in jobs:
                with contextlib.suppress(*EXPECTED):
                    job.finish()
        log.info("stopped", extra={"action": "stopped"})
        return 0

    def _wait_until(self, is_done: Callable[[], bool]) -> None:
        """Wait (BACKGROUND-4). The process that creates the database makes it private, so do not open it before."""
        while not self.stopping() and not is_done():
            self._wakeups.wait(DATABASE_POLL_S)

    def _run(self, job: Job) -> None:
        try:
            wait_s = job.run()
        except EXPECTED as error:
            job.is_damaged = isinstance(error, DAMAGE_ERRORS)
            wait_s = min(BACKOFF_FIRST_S * 2.0**job.failures, BACKOFF_MAX_S)
            job.failures = min(job.failures + 1, 16)
            message = "%s failed, next try in %.0f s: %s: %s"
            log.warning(message, job.name, wait_s, type(error).__name__, error, extra={"action": "job_failed"})
        else:
            job.failures, job.is_damaged = 0, False
        job.due_at = time.monotonic() + wait_s

    def _say_alive(self, db: Db, jobs: Sequence[Job]) -> None:
        """Record at once when the troubles have changed, else every SEEN_EVERY_S; ignore a database that refuses."""
        troubles = frozenset(reason for job in jobs for reason in job.troubles())
        if any(job.is_damaged for job in jobs):
            troubles |= {Reason.DB_DAMAGED}
        if troubles == self._recorded_troubles and time.monotonic() - self._recorded_at < SEEN_EVERY_S:
            return
        with contextlib.suppress(db_errors.Error):
            store_heartbeat(db, self._name, started_at_ms=self._started_ms, now_ms=clock.now_ms(), troubles=troubles)
            self._recorded_troubles, self._recorded_at = troubles, time.monotonic()
