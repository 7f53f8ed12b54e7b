"""Runs the test of a rule or of a channel for a command, and prints the answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from bloop.alerts.deliveries.read import deliveries_of
from bloop.alerts.firing import send_test as trial
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.cli_kit.context import database, print_json, print_table
from bloop.db import connection
from bloop.db.engine import Db


def run_and_print(settings: Settings, find: Callable[[Db], Callable[[int], int]], *, as_json: bool, empty: str) -> None:
    """`find` looks the subject up; what it returns stores the test at the given time and returns the firing's id.

    Raises:
        BloopError: the alerts process does not run, there is no receiver (`empty` says so), or one did not accept.
    """
    now_ms = clock.now_ms()
    with database(settings) as db:
        start = find(db)
        if not trial.is_running(db, now_ms):
            raise BloopError(f"{trial.NO_PROCESS}: start bloop first")
        with connection.immediate(db):
            firing_id = start(now_ms)
        with closing(connection.open_reader(settings.database_path)) as reader:
            rows = trial.wait(lambda: deliveries_of(reader, firing_id), trial.WAIT_S)
        with connection.immediate(db):
            trial.end(db, firing_id)
    outcomes = trial.outcomes(rows, is_running=True)
    if as_json:
        print_json([outcome._asdict() for outcome in outcomes])
    else:
        print_table(("CHANNEL", "TARGET", "STATE", "TIME", "ANSWER"), [_line(outcome) for outcome in outcomes])
    if not outcomes:
        raise BloopError(empty)
    if any(outcome.state != "sent" for outcome in outcomes):
        raise BloopError("not every channel accepted the test")


def _line(outcome: trial.TrialResult) -> tuple[str, str, str, str, str]:
    took = "" if outcome.duration_ms is None else f"{outcome.duration_ms:,} ms"
    answer = str(outcome.detail or outcome.status or "")
    return (
        outcome.channel_type,
        outcome.target,
        outcome.state,
        took,
        f"{answer}: {outcome.answer}" if answer and outcome.answer else answer or outcome.answer or "",
    )
