"""The retention process: it deletes what is older than is kept, and gives the room back. `python -m workers.retention`

    prune     at the start and every `retention.prune_interval_secs`: events, counts, accounts, signals that are due
    mutes     twice a minute: those whose time has come end
    sweep     hourly: sessions, challenges, links and invites that ran out

Jobs run one after the other on one connection (workers/background.py). Another job is a function that returns in how
many seconds it wants to be run again, and a line in `make_jobs`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import apsw

from bloop import clock
from bloop.config import Settings
from bloop.query.processes import RETENTION
from bloop.storage import connection, sweep
from bloop.storage.lifecycle import SWEPT_MAX, end_due_mutes
from workers import process
from workers.background import Background, Job, Stopping

MUTES_EVERY_S = 30.0
SWEEP_EVERY_S = 3600.0

log = logging.getLogger("bloop.retention")


def make_jobs(settings: Settings, db: apsw.Connection, stopping: Stopping) -> Sequence[Job]:
    """Everything this process does, in the order in which it is done when several are due."""

    def mutes_job() -> float:
        with connection.immediate(db):
            ended = end_due_mutes(db, clock.now_ms())
        return MUTES_EVERY_S if ended < SWEPT_MAX else 0.0

    def sweep_job() -> float:
        with connection.immediate(db):
            sweep.sweep(db, clock.now_ms())
        return SWEEP_EVERY_S

    return [Job("mutes", mutes_job), Job("sweep", sweep_job)]


def run(settings: Settings) -> int:
    """Be the retention process until SIGTERM. Returns the exit code."""
    return Background(RETENTION, settings).run(lambda db, stopping: make_jobs(settings, db, stopping))


if __name__ == "__main__":
    sys.exit(process.run("retention", run))
