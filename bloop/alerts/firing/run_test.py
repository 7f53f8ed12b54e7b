"""Sends a test for a request and waits for the answers.

RUN-TEST-1  A test holds a thread that pages need too, for up to WAIT_S: at most TESTS_AT_ONCE run in a process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from bloop.alerts.deliveries.read import DeliveryRow, deliveries_of
from bloop.alerts.firing import send_test as trial
from bloop.base.errors import RateLimited
from bloop.db.engine import Db
from bloop.site.deps import Deps

TESTS_AT_ONCE = 2

_waiting = threading.BoundedSemaphore(TESTS_AT_ONCE)  # per process


class TestRun(NamedTuple):
    firing_id: int
    outcomes: list[trial.TrialResult]

    @property
    def sent(self) -> bool:
        """There was at least one receiver, and all accepted it."""
        return bool(self.outcomes) and all(outcome.state == "sent" for outcome in self.outcomes)


def run_test(deps: Deps, start: Callable[[Db, int], int]) -> TestRun:
    """`start` stores the test in a transaction, at the given time, and returns its firing's id.

    Raises:
        RateLimited: TESTS_AT_ONCE tests are running (RUN-TEST-1).
    """
    if not _waiting.acquire(blocking=False):
        raise RateLimited(round(trial.WAIT_S))
    try:
        return _run(deps, start)
    finally:
        _waiting.release()


def _run(deps: Deps, start: Callable[[Db, int], int]) -> TestRun:
    now_ms = deps.now_ms()
    firing_id, is_running = deps.database.change(lambda db: (start(db, now_ms), trial.is_running(db, now_ms)))

    def read() -> list[DeliveryRow]:
        with deps.database.reader() as db:
            return deliveries_of(db, firing_id)

    rows = trial.wait(read, trial.WAIT_S if is_running else 0.0)
    deps.database.change(lambda db: trial.end(db, firing_id))
    return TestRun(firing_id, trial.outcomes(rows, is_running=is_running))
