"""The alerts process: evaluates alert rules and sends notifications. `python -m workers.alerts`

ALERTS-1  Evaluating rules and sending messages are independent: a slow or dead receiver delays no decision (SENDING-1).
ALERTS-2  The process checks several times a second, at a cost of microseconds, whether anything was committed, and
    queries the database only then. It evaluates counting rules at most once a second, and for at most a twentieth of
    the time.
ALERTS-3  All its state is in the database: killed at any instant it neither loses nor repeats a firing.
ALERTS-4  One alerts process runs per database (INSTANCE-1): two would send everything twice.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import orjson

from bloop.alerts import channels
from bloop.alerts.channels import Result
from bloop.alerts.firing.engine import Engine
from bloop.alerts.firing.read import DueDelivery
from bloop.alerts.message import from_json
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import ConfigError
from bloop.base.pid_file import Instance
from bloop.db import connection
from bloop.db.engine import Db
from bloop.processes.read import ALERTS
from workers import process
from workers.background import BackgroundProcess, Job, Stopping
from workers.sending import POLL_S, Sender

PID_FILE = "alerts.pid"  # in the run folder: one alerts process per database
COUNTING_EVERY_S = 1.0
COUNTING_SHARE = 20  # rests this many times as long as it worked


class RuleJobs:
    """The two jobs that evaluate rules; each remembers the database version it saw last."""

    def __init__(self, db: Db, engine: Engine, stopping: Stopping) -> None:
        self._db, self._engine, self._stopping = db, engine, stopping
        self._seen_signals = self._seen_counts = (-1, -1)

    def run_signals(self) -> float:
        version = connection.database_version(self._db)
        if version != self._seen_signals:
            started = time.monotonic()
            while self._engine.evaluate_signals(clock.now_ms()) and not self._stopping():
                time.sleep(time.monotonic() - started)  # let the writer and other processes use the database
                started = time.monotonic()
            self._seen_signals = version
        self._engine.send_digests(clock.now_ms())
        return POLL_S

    def run_counts(self) -> float:
        version, started = connection.database_version(self._db), time.monotonic()
        if version == self._seen_counts:
            return POLL_S
        for _ in self._engine.evaluate_windows(clock.now_ms()):
            self.run_signals()
        self._seen_counts = version
        return max(COUNTING_EVERY_S, (time.monotonic() - started) * COUNTING_SHARE)


def make_jobs(settings: Settings, db: Db, stopping: Stopping) -> Sequence[Job]:
    """Every job of this process, in the order in which due jobs run."""
    fallbacks = channels.fallbacks(settings)
    engine = Engine(
        db,
        origin=settings.auth.rp_origin,
        cooldown_ms=settings.alerting.cooldown_secs * 1000,
        target=channels.target,
        fallbacks=fallbacks,
    )
    rule_jobs = RuleJobs(db, engine, stopping)
    sender = Sender(db, lambda due: send(settings, due))
    return [
        Job("evaluating rules", rule_jobs.run_signals),
        Job("sending", sender.run, sender.troubles, sender.finish),
        Job("counting", rule_jobs.run_counts),
    ]


def send(settings: Settings, due: DueDelivery) -> Result:
    """One attempt at a delivery, from any thread."""
    if due.channel_id is None:
        config = dict(channels.fallbacks(settings)).get(due.channel_type)
        reason = f"there is no {due.channel_type} fallback in the settings any more"
    else:
        config = None if due.config is None else orjson.loads(due.config)
        reason = "the channel was deleted"
    if config is None:
        return Result("failed", reason)
    return channels.send(due.channel_type, config, from_json(due.message), settings, message_key=due.message_key)


def run(settings: Settings) -> int:
    """Run the alerts process until SIGTERM. Returns the exit code.

    Raises:
        BloopError: another alerts process uses this database, or the run folder cannot be used.
    """
    try:
        settings.run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        instance = Instance.claim(settings.run_dir / PID_FILE)
    except OSError as error:
        raise ConfigError("server.run_dir", f"cannot use {error.filename}: {error.strerror}") from error
    try:
        return BackgroundProcess(ALERTS, settings).run(lambda db, stopping: make_jobs(settings, db, stopping))
    finally:
        instance.release()


if __name__ == "__main__":
    sys.exit(process.run("alerts", run))
