"""The alerts process: it asks the rules what happened is worth, and tells people. `python -m workers.alerts`

A1  Deciding and sending go on beside each other: a receiver that is slow or dead delays no decision (sending N1).
A2  It looks several times a second whether anything was committed, which costs microseconds, and asks the database only
    then. Rules that count are asked once a second at most, and never for more than a twentieth of the time.
A3  Everything it needs to go on stands in the database: killed at any instant it neither loses nor repeats a firing.
A4  There is one of it for each database (instance I1): two would send everything twice.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence

import apsw
import orjson

from bloop.alerts import channels
from bloop.alerts.channels import Result
from bloop.alerts.firing.engine import Engine
from bloop.alerts.firing.read import Due
from bloop.alerts.message import from_json
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import ConfigError
from bloop.base.pid_file import Instance
from bloop.health.processes_read import ALERTS
from workers import process
from workers.background import Background, Job, Stopping
from workers.sending import POLL_S, Sender, version_of

PID_FILE = "alerts.pid"  # in the run folder: one alerts process per database
COUNTING_EVERY_S = 1.0
COUNTING_SHARE = 20  # rests this many times as long as it worked

log = logging.getLogger("bloop.alerts")


class Asking:
    """The jobs that decide; each remembers what it saw last."""

    def __init__(self, db: apsw.Connection, engine: Engine, stopping: Stopping) -> None:
        self._db, self._engine, self._stopping = db, engine, stopping
        self._seen_signals = self._seen_counts = (-1, -1)

    def signals(self) -> float:
        version = version_of(self._db)
        if version != self._seen_signals:
            started = time.monotonic()
            while self._engine.ask_signals(clock.now_ms()) and not self._stopping():
                time.sleep(time.monotonic() - started)  # the writer and everybody else get their turn
                started = time.monotonic()
            self._seen_signals = version
        self._engine.tell_held(clock.now_ms())
        return POLL_S

    def counts(self) -> float:
        version, started = version_of(self._db), time.monotonic()
        if version == self._seen_counts:
            return POLL_S
        for _ in self._engine.ask_windows(clock.now_ms()):
            self.signals()
        self._seen_counts = version
        return max(COUNTING_EVERY_S, (time.monotonic() - started) * COUNTING_SHARE)


def make_jobs(settings: Settings, db: apsw.Connection, stopping: Stopping) -> Sequence[Job]:
    """Everything this process does, in the order in which it is done when several are due."""
    fallbacks = channels.fallbacks(settings)
    engine = Engine(
        db,
        origin=settings.auth.rp_origin,
        cooldown_ms=settings.alerting.cooldown_secs * 1000,
        target=channels.target,
        fallbacks=fallbacks,
    )
    asking = Asking(db, engine, stopping)
    sender = Sender(db, lambda due: send(settings, due))
    return [
        Job("asking the rules", asking.signals),
        Job("sending", sender.run, sender.troubles, sender.finish),
        Job("counting", asking.counts),
    ]


def send(settings: Settings, due: Due) -> Result:
    """One attempt at a delivery, from any thread."""
    if due.channel_id is None:
        config = dict(channels.fallbacks(settings)).get(due.channel_type)
        gone = f"there is no {due.channel_type} fallback in the settings any more"
    else:
        config = None if due.config is None else orjson.loads(due.config)
        gone = "the channel was deleted"
    if config is None:
        return Result("failed", gone)
    return channels.send(due.channel_type, config, from_json(due.message), settings, message_key=due.message_key)


def run(settings: Settings) -> int:
    """Be the alerts process until SIGTERM. Returns the exit code.

    Raises:
        BloopError: another alerts process works on this database, or its folder cannot be used.
    """
    try:
        settings.run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        instance = Instance.claim(settings.run_dir / PID_FILE)
    except OSError as error:
        raise ConfigError("server.run_dir", f"cannot use {error.filename}: {error.strerror}") from error
    try:
        return Background(ALERTS, settings).run(lambda db, stopping: make_jobs(settings, db, stopping))
    finally:
        instance.release()


if __name__ == "__main__":
    sys.exit(process.run("alerts", run))
