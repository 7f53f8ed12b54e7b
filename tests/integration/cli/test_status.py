"""`bloop status` over a database and a ring in each state they can be in, and what it says of backups and alerts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bloop.base import clock, config
from bloop.base.reasons import Reason
from bloop.cli import overview as overviews
from bloop.cli.overview import overall_state
from bloop.cli.processes import ProcessInfo
from bloop.db import connection
from bloop.ring import Consumer, Producer, Segment, Spill, WriterState
from tests.integration.cli.conftest import Run

WORKER = ProcessInfo("ingest worker", 1, 0.0, 0.0, None)
HOUR_MS = 3_600_000


@pytest.fixture
def ring(settings: config.Settings) -> Iterator[Consumer]:
    """A ring whose writer has just said that it lives."""
    with (
        closing(Segment.create(settings.ring_name, lane_count=1, lane_bytes=2048)) as segment,
        closing(Consumer.claim(segment)) as consumer,
    ):
        consumer.heartbeat(clock.now_ms(), WriterState.RUNNING)
        yield consumer
    Segment.unlink(settings.ring_name)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overviews, "find_processes", lambda settings: [WORKER])


def status(run: Run) -> tuple[int, dict[str, Any]]:
    done = run("status", "--json")
    return done.exit_code, json.loads(done.stdout)


def change(database: config.Settings, sql: str, *bindings: Any) -> None:
    with closing(connection.open_control(database.database_path)) as db:
        db.execute(sql, bindings)


def stale_writer(database: config.Settings, ring: Consumer) -> None:
    ring.heartbeat(clock.now_ms() - 60_000, WriterState.RUNNING)


def full_disk(database: config.Settings, ring: Consumer) -> None:
    ring.heartbeat(clock.now_ms(), WriterState.DISK_FULL)


def no_ring(database: config.Settings, ring: Consumer) -> None:
    Segment.unlink(database.ring_name)


def garbage(database: config.Settings, ring: Consumer) -> None:
    database.database_path.write_bytes(b"garbage" * 1000)


def no_database(database: config.Settings, ring: Consumer) -> None:
    for file in database.database_path.parent.glob("x.db*"):
        file.unlink()


def silent_alerts(database: config.Settings, ring: Consumer) -> None:
    change(database, "INSERT INTO process_states VALUES ('alerts', 1, 1, '[]')")


def failing_backup(database: config.Settings, ring: Consumer) -> None:
    troubles = '["backup_failing"]'
    change(database, "INSERT INTO process_states VALUES ('retention', 1, ?, ?)", clock.now_ms(), troubles)


def nothing(database: config.Settings, ring: Consumer) -> None:
    pass


class Case(NamedTuple):
    breaks: Callable[[config.Settings, Consumer], None]
    code: int
    state: str
    reasons: list[Reason]


@pytest.mark.parametrize(
    "case",
    [
        Case(nothing, 0, "well", []),
        Case(stale_writer, 1, "degraded", [Reason.WRITER_STALE]),
        Case(full_disk, 1, "degraded", [Reason.DISK_FULL]),
        Case(no_ring, 2, "down", [Reason.RING_MISSING]),
        Case(garbage, 1, "degraded", [Reason.DB_UNREACHABLE]),
        Case(no_database, 1, "degraded", [Reason.DB_UNREACHABLE]),
        Case(silent_alerts, 1, "degraded", [Reason.ALERTS_STALE]),
        Case(failing_backup, 1, "degraded", [Reason.BACKUP_FAILING]),
    ],
    ids=lambda case: case.breaks.__name__,
)
@pytest.mark.usefixtures("running")
def test_each_state_has_its_words_and_its_exit_code(run: Run, database: config.Settings, ring: Consumer, case: Case):
    case.breaks(database, ring)

    code, seen = status(run)

    assert (code, seen["state"], seen["reasons"]) == (case.code, case.state, case.reasons)
    assert run("status").exit_code == case.code, "also where a person reads"


def test_without_anybody_to_answer_it_is_down(run: Run, database: config.Settings, ring: Consumer):
    assert status(run)[1]["state"] == "down"
    assert overall_state([], []) == "down"


@pytest.mark.usefixtures("running")
def test_the_age_of_the_backup_and_what_failed_are_said(run: Run, database: config.Settings, ring: Consumer):
    assert "backup    none yet" in run("status").stdout
    good_at_ms = clock.now_ms() - 7 * HOUR_MS
    insert = "INSERT INTO backup_runs (cause, state, asked_at_ms, started_at_ms, proven_at_ms, error)"
    change(database, f"{insert} VALUES ('schedule', 'done', 0, ?, ?, NULL)", good_at_ms, good_at_ms)
    assert "backup    7 h old, restore tested 7 h ago\n" in run("status").stdout

    change(database, f"{insert} VALUES ('schedule', 'failed', 0, 1, NULL, 'no room')")

    assert "ago; the last attempt failed: no room\n" in run("status").stdout
    backup = status(run)[1]["backup"]
    assert (backup["good_at_ms"], backup["error"]) == (good_at_ms, "no room")
    assert 7 * 3600 <= backup["age_s"] < 7 * 3600 + 60


@pytest.mark.usefixtures("running")
def test_messages_that_nobody_got_are_counted(run: Run, database: config.Settings, ring: Consumer):
    firing = (
        "INSERT INTO alert_firings (id, rule_name, rule_type, key, fired_at_ms, message) VALUES (1, '', '', '', 0, '')"
    )
    change(database, firing)
    for n, state in enumerate(("failed", "failed", "waiting", "sent", "dismissed")):
        columns = "state, firing_id, channel_type, target, message_key, next_try_at_ms, created_at_ms"
        change(database, f"INSERT INTO deliveries ({columns}) VALUES (?, 1, 'slack', '', ?, 0, 0)", state, str(n))

    assert "alerts    2 messages could not be delivered, 1 wait\n" in run("status").stdout
    assert status(run)[1]["deliveries"] == {"waiting": 1, "failed": 2}


@pytest.mark.usefixtures("running")
def test_what_spilled_is_said(run: Run, database: config.Settings, ring: Consumer, tmp_path: Path):
    with closing(Segment.attach(database.ring_name)) as segment:
        spill = Spill(tmp_path / "spill", 1 << 20, 0)
        with closing(Producer.claim(segment, spill)) as producer:
            assert all(producer.push(1, bytes(400)) for _ in range(8))

        said, seen = run("status").stdout, status(run)[1]["ring"]

    assert "8 records wait, 4 of them on disk" in said
    assert (seen["pending_records"], seen["spilled_records"], seen["spilled_bytes"]) == (8, 4, 4 * 416)
