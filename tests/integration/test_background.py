"""The loop of the background processes, in its own process, ended by a real signal."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from bloop.base import config
from bloop.base.reasons import Reason
from bloop.db import connection, migrate
from bloop.processes.read import process_states
from tests.waiting import until
from workers import background
from workers.background import BackgroundProcess, Job, Stopping


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    settings = config.load(environ={"BLOOP__DATABASE__PATH": str(tmp_path / "bloop.db")}, secret_required=False)
    migrate.migrate(settings.database_path, 1)
    return settings


def run_in_child(settings: config.Settings, jobs: list[Job]) -> int:
    """The exit code of a fork that runs the loop; jobs end it by signalling it."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:

            def make_jobs(db: apsw.Connection, stopping: Stopping) -> list[Job]:
                return jobs

            code = BackgroundProcess("retention", settings).run(make_jobs)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ask_to_stop() -> float:
    os.kill(os.getpid(), signal.SIGTERM)
    return 60.0


def test_a_job_that_fails_does_not_stop_the_next_one(settings: config.Settings) -> None:
    def fail() -> float:
        raise apsw.BusyError("locked")

    assert run_in_child(settings, [Job("fails", fail), Job("stops", ask_to_stop)]) == 0


def test_a_job_that_meets_a_damaged_page_is_a_problem_until_it_runs_well(
    settings: config.Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "BACKOFF_FIRST_S", 0.01)
    errors = iter([apsw.CorruptError("malformed"), apsw.NotADBError("not a database")])

    def stored_troubles() -> list[str]:
        with closing(connection.open_reader(settings.database_path)) as db:
            return [trouble for state in process_states(db) for trouble in state.troubles]

    def prune() -> float:
        with (tmp_path / "seen").open("a", encoding="ascii") as file:
            print(*stored_troubles(), file=file)
        if error := next(errors, None):
            raise error
        return 0.01 if stored_troubles() else ask_to_stop()

    assert run_in_child(settings, [Job("prune", prune)]) == 0

    assert (tmp_path / "seen").read_text().splitlines() == ["", "db_damaged", "db_damaged", ""]


def test_problems_of_the_jobs_are_stored(settings: config.Settings) -> None:
    jobs = [Job("unhealthy", lambda: 60.0, lambda: [Reason.BACKUP_FAILING]), Job("stops", ask_to_stop)]
    assert run_in_child(settings, jobs) == 0

    with closing(connection.open_reader(settings.database_path)) as db:
        (state,) = process_states(db)
    assert (state.name, state.troubles) == ("retention", (Reason.BACKUP_FAILING,))


def test_a_stop_between_two_jobs_leaves_the_second_for_the_next_start(settings: config.Settings) -> None:
    def never() -> float:
        os._exit(7)

    assert run_in_child(settings, [Job("stops", ask_to_stop), Job("never", never)]) == 0


def test_an_idle_process_keeps_updating_its_heartbeat(
    settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "SEEN_EVERY_S", 0.02)
    pid = os.fork()
    if pid == 0:
        os._exit(BackgroundProcess("retention", settings).run(lambda db, stopping: [Job("idle", lambda: 3600.0)]))
    try:
        with closing(connection.open_reader(settings.database_path)) as db:
            (first,) = until(lambda: process_states(db), "a first heartbeat")
            until(lambda: process_states(db)[0].seen_at_ms > first.seen_at_ms, "another heartbeat")
    finally:
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
