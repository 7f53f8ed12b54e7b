"""The loop of a process that works in the background (alerts, retention): jobs by the clock on one connection.

B1  A job that fails is logged and tried again after a back-off; the other jobs do not notice. A full disk, a locked
    database and a receiver that is down are normal days.
B2  The process says a few times a minute that it lives and what ails it (health/store.py). Silence is what
    `/health` and the banners report, so a process that hangs is seen as well as one that died.
B3  SIGTERM ends the loop between two jobs. A job that takes long looks at `stopping` itself.
B4  It may be started before the writer made or migrated the database, and waits for that.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import apsw

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.base.memory import Leftovers
from bloop.db import connection, migrate
from bloop.health.processes_read import SEEN_EVERY_S
from bloop.health.read import Reason
from bloop.health.store import say_alive
from workers import process
from workers.wakeups import Wakeups

BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 60.0
DATABASE_POLL_S = 0.2
EXPECTED = (apsw.Error, BloopError, OSError)

log = logging.getLogger(__name__)

Stopping = Callable[[], bool]


@dataclass
class Job:
    """`run` works once and returns in how many seconds it wants to be run again; `troubles` is asked after each run,
    `finish` is called once at the end."""

    name: str
    run: Callable[[], float]
    troubles: Callable[[], Iterable[Reason]] = tuple
    finish: Callable[[], None] = lambda: None
    due_at: float = float("-inf")  # monotonic: at once
    failures: int = field(default=0)


class Background:
    """One process. Main thread only: it takes over SIGTERM, SIGINT and SIGCHLD."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name, self._settings = name, settings
        self._wakeups = Wakeups()
        self._started_ms = clock.now_ms()
        self._seen_at = float("-inf")
        self._said: frozenset[Reason] | None = None
        self._leftovers = Leftovers()

    def stopping(self) -> bool:
        process.unit.alive()  # who asks, lives
        return self._wakeups.stops > 0

    def run(self, make_jobs: Callable[[apsw.Connection, Stopping], Sequence[Job]]) -> int:
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
        """B4. Whoever makes the database makes it private, so it is not opened before it is there."""
        while not self.stopping() and not is_done():
            self._wakeups.wait(DATABASE_POLL_S)

    def _run(self, job: Job) -> None:
        try:
            wait_s = job.run()
        except EXPECTED as error:
            wait_s = min(BACKOFF_FIRST_S * 2.0**job.failures, BACKOFF_MAX_S)
            job.failures = min(job.failures + 1, 16)
            message = "%s failed, again in %.0f s: %s: %s"
            log.warning(message, job.name, wait_s, type(error).__name__, error, extra={"action": "job_failed"})
        else:
            job.failures = 0
        job.due_at = time.monotonic() + wait_s

    def _say_alive(self, db: apsw.Connection, jobs: Sequence[Job]) -> None:
        """At once when what ails us has changed, else now and then. That it cannot be said is no reason to stop."""
        troubles = frozenset(reason for job in jobs for reason in job.troubles())
        if troubles == self._said and time.monotonic() - self._seen_at < SEEN_EVERY_S:
            return
        with contextlib.suppress(apsw.Error):
            say_alive(db, self._name, started_at_ms=self._started_ms, now_ms=clock.now_ms(), troubles=troubles)
            self._said, self._seen_at = troubles, time.monotonic()
