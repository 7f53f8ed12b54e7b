"""The alerts process as a whole: there is one of it, it waits for its database, and lets messages arrive at its end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bloop.base import config
from bloop.db import connection, migrate
from bloop.processes.read import ALERTS, process_states
from tests.receivers import OK, Receiver
from tests.seeding import Seeder
from tests.waiting import until
from workers import alerts, process

WITHIN_S = 10.0
NOW_MS = 1_800_000_000_000


def settings_of(tmp_path: Path, **variables: str) -> config.Settings:
    environ = {"BLOOP__DATABASE__PATH": str(tmp_path / "bloop.db"), "BLOOP__ALERTING__ALLOW_PRIVATE": "true"}
    return config.load(environ=environ | variables, secret_required=False)


class Life:
    """A forked alerts process."""

    def __init__(self, settings: config.Settings) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            code = 99
            try:
                code = process.guard("alerts", settings, lambda: alerts.run(settings))
            finally:
                os._exit(code)
        self.code: int | None = None

    def ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code is not None

    def end(self, signum: int = signal.SIGTERM) -> int:
        if not self.ended():
            os.kill(self.pid, signum)
            until(self.ended, "its end")
        assert self.code is not None
        return self.code


@contextmanager
def alive(settings: config.Settings) -> Iterator[Life]:
    made = Life(settings)
    try:
        yield made
    finally:
        made.end(signal.SIGKILL)


def is_at_work(settings: config.Settings) -> bool:
    with closing(connection.open_reader(settings.database_path)) as db:
        return any(state.name == ALERTS for state in process_states(db))


def test_a_second_process_on_one_database_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    migrate.migrate(settings.database_path, NOW_MS)

    with alive(settings) as first:
        until(lambda: is_at_work(settings), "the first to work")
        with alive(settings) as second:
            until(second.ended, "the second to end")
            assert second.code == process.EXIT_CANNOT_START
        assert not first.ended()
        assert first.end() == 0
    assert not list(settings.run_dir.iterdir())


def test_it_may_start_before_its_database_exists(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    with alive(settings) as early:
        until((settings.run_dir / "alerts.pid").exists, "it to be there")
        assert not settings.database_path.exists()
        migrate.migrate(settings.database_path, NOW_MS)
        until(lambda: is_at_work(settings), "it to work")
        assert early.end() == 0


def test_a_stop_waits_for_the_answers_of_deliveries_in_flight(tmp_path: Path) -> None:
    arrived, release = threading.Event(), threading.Event()

    def think(receiver: Receiver, sock: Any) -> None:
        arrived.set()
        release.wait(WITHIN_S)
        sock.sendall(OK)

    receiver = Receiver(think)
    settings = settings_of(tmp_path, BLOOP__ALERTING__WEBHOOK_URL=receiver.url())
    with closing(Seeder(settings.database_path, NOW_MS)) as seeder:
        seeder.project("shop", "Shop")
        event = {"timestamp": NOW_MS, "source": "api", "environment": "e", "release": "1", "message": "m"}
        seeder.store([("shop", event | {"error_type": "TypeError"}, NOW_MS)])

    with alive(settings) as life:
        assert arrived.wait(WITHIN_S)
        os.kill(life.pid, signal.SIGTERM)
        assert not life.ended()
        release.set()
        until(life.ended, "its end")
    receiver.close()

    assert life.code == 0
    with closing(connection.open_reader(settings.database_path)) as db:
        assert db.execute("SELECT state, attempts FROM deliveries").fetchall() == [("sent", 1)]
