"""The retention process on a real file: killed in the middle, beside a writer, and with a requested purge."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from bloop.base import config
from bloop.base.clock import DAY_MS, now_ms
from bloop.db import connection
from bloop.issues.deletion import clean_up as deleting
from bloop.issues.deletion.store import delete_issues
from bloop.issues.events import index
from bloop.issues.events.columns import Column
from bloop.issues.events.index import next_range
from bloop.issues.events.index_read import blocks, read_column
from bloop.issues.events.search import find_events
from bloop.issues.events.store import mark_settled
from bloop.issues.search.terms import parse
from bloop.retention import cleaner, disk, prune, steps
from bloop.retention import store as retention
from bloop.retention.read import RetentionRunRow, get_run, last_run, open_run
from bloop.retention.sizes import last_sample
from tests.integration.retention.cleaning import counters, expected, settle, stored
from tests.seed import NOW_MS, Seed
from tests.waiting import until
from workers import retention as worker
from workers.retention import IndexJob, PruneJob

EVENTS = 6000
KILLS = 6

running: set[int] = set()


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    made = Seed(tmp_path / "bloop.db")
    yield made
    made.close()


@pytest.fixture
def settings(seed: Seed) -> config.Settings:
    environ = {"BLOOP__DATABASE__PATH": str(seed.path), "BLOOP__DATABASE__DISK_FREE_BYTES_MIN": "0"}
    return config.load(environ=environ, secret_required=False)


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    for pid in tuple(running):
        ended(pid, signal.SIGKILL)


def many_events(seed: Seed, count: int = EVENTS) -> None:
    """Events of 40 issues in two projects, received over the last twenty days of the real clock."""
    now = now_ms()
    projects = [seed.project(slug) for slug in ("shop", "blog")]
    issues = [seed.issue(projects[n % 2], f"f{n}") for n in range(40)]
    seed.db.execute(
        """
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
        INSERT INTO events (fingerprint_id, timestamp_ms, received_at_ms, dims_id, body)
        SELECT f.id, :now - (:count - i) * :step, :now - (:count - i) * :step, 0, zeroblob(800)
          FROM n JOIN fingerprints AS f ON f.issue_id = :first + i * 7 % 40
        """,
        {"count": count, "now": now, "first": issues[0], "step": 20 * DAY_MS // count},
    )
    seed.db.execute(
        "INSERT INTO events_by_fingerprint (fingerprint_id, timestamp_ms, event_id)"
        " SELECT fingerprint_id, timestamp_ms, id FROM events ORDER BY 1, 2, 3"
    )
    settle(seed)


def start(seed: Seed, settings: config.Settings) -> int:
    """A retention process; its pid. It inherits no connection: SQLite's locks do not survive a fork."""
    seed.db.close()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = worker.run(settings)
        finally:
            os._exit(code)
    running.add(pid)
    seed.db = connection.open_control(seed.path)
    return pid


def ended(pid: int, signum: int) -> int:
    running.discard(pid)
    os.kill(pid, signum)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_of(seed: Seed) -> RetentionRunRow:
    found = last_run(seed.db)
    assert found is not None
    return found


def test_repeated_kills_end_in_the_state_of_one_clean_up(
    seed: Seed, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaner, "STEP_ROWS_MAX", 100)  # forty steps, a second in all
    monkeypatch.setattr(steps, "REST_S_MIN", 0.025)
    many_events(seed)
    before, counted = stored(seed), counters(seed)
    retention.ask_for_run(seed.db, asked_by=None, now_ms=NOW_MS)

    for kill in range(1, KILLS + 1):
        pid = start(seed, settings)
        until(lambda: seed.value("SELECT raw_events_deleted FROM retention_runs") >= kill * 400, "some deletions")
        assert ended(pid, signal.SIGKILL) == -signal.SIGKILL
        assert seed.value("SELECT raw_events_deleted FROM retention_runs") == EVENTS - len(stored(seed))
    pid = start(seed, settings)
    until(lambda: run_of(seed).finished_at_ms, "the clean-up to finish")
    assert ended(pid, signal.SIGTERM) == 0

    due = expected(before, days=7, own={}, samples=5, now_ms=run_of(seed).started_at_ms or 0)
    # It read the clock at its last start, a little later.
    assert {row.id for row in stored(seed)} <= {row.id for row in due}
    assert len(due) - len(stored(seed)) <= 10
    assert run_of(seed).raw_events_deleted == EVENTS - len(stored(seed))
    assert counters(seed) == counted
    assert seed.value("PRAGMA integrity_check") == "ok"
    assert seed.value("SELECT count(*) FROM retention_runs") == 1


def test_repeated_kills_while_issues_are_deleted_end_with_everything_gone_and_the_space_back(
    seed: Seed, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "PURGED_ROWS", 8)
    monkeypatch.setattr(steps, "HOLD_S", 0.0)
    monkeypatch.setattr(steps, "REST_S_MIN", 0.001)
    many_events(seed)
    kept = seed.value("SELECT max(id) FROM issues")
    going = [row[0] for row in seed.rows("SELECT id FROM issues WHERE id <> ?", kept)]
    with connection.immediate(seed.db):
        assert delete_issues(seed.db, going).issues == len(going)

    for kill in range(1, KILLS + 1):
        pid = start(seed, settings)
        until(
            lambda: seed.value("SELECT coalesce(sum(raw_events_deleted), 0) FROM retention_runs") >= kill * 600,
            "some deletions",
        )
        assert ended(pid, signal.SIGKILL) == -signal.SIGKILL
        deleted = seed.value("SELECT sum(raw_events_deleted) FROM retention_runs")
        assert deleted == EVENTS - seed.value("SELECT count(*) FROM events")
    pid = start(seed, settings)
    until(lambda: run_of(seed).finished_at_ms, "the clean-up to finish")
    assert ended(pid, signal.SIGTERM) == 0

    assert seed.rows("SELECT id FROM issues") == [(kept,)]
    assert seed.value("SELECT sum(issues_deleted) FROM retention_runs") == len(going)
    assert {row.issue_id for row in stored(seed)} == {kept}
    assert seed.value("PRAGMA integrity_check") == "ok"
    assert seed.value("PRAGMA freelist_count") == 0


def test_repeated_kills_leave_whole_blocks_and_right_searches(
    seed: Seed, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "BLOCK_EVENTS", 32)
    monkeypatch.setattr(worker, "INDEX_REST_S", 0.002)
    monkeypatch.setattr(worker, "INDEX_EVERY_S", 0.05)
    project = seed.project("shop")
    issue = seed.issue(project, "f1")
    with connection.immediate(seed.db):
        for n in range(1600):
            seed.event(issue, received_at_ms=now_ms(), request_id=f"r{n % 50}", http_status=500 + n % 3)
        mark_settled(seed.db)

    def found(text: str) -> set[int]:
        page = find_events(seed.db, [project], parse(text), now_ms=now_ms(), limit=200)
        return {row.id for row in page.rows}

    for kill in range(1, KILLS + 1):
        pid = start(seed, settings)
        until(lambda: len(blocks(seed.db)) >= min(kill * 6, 30), "some blocks")
        assert ended(pid, signal.SIGKILL) == -signal.SIGKILL
        seed.db.execute("DELETE FROM events WHERE id % 40 = ?", (kill,))
        for block in blocks(seed.db):
            assert len(read_column(seed.db, Column.FINGERPRINTS, block.first_id) or b"") == 4 * block.indexed_count
        stored_ids = {row[0] for row in seed.rows("SELECT id FROM events")}
        assert found("request:r7") == {event for event in stored_ids if event % 50 == 8}
    pid = start(seed, settings)
    until(lambda: next_range(seed.db, now_ms()) is None, "every block")
    assert ended(pid, signal.SIGTERM) == 0

    assert sum(block.event_count for block in blocks(seed.db)) == len(stored_ids)
    assert found("request:r7") == {event for event in stored_ids if event % 50 == 8}
    assert seed.value("PRAGMA integrity_check") == "ok"


def test_the_index_waits_while_the_disk_is_low(
    seed: Seed, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "BLOCK_EVENTS", 4)
    issue = seed.issue(seed.project("shop"), "f1")
    for _ in range(8):
        seed.event(issue)
    mark_settled(seed.db)
    job = IndexJob(settings, seed.db)

    monkeypatch.setattr(disk, "is_low", lambda *_: True)
    assert (job.run(), blocks(seed.db)) == (worker.INDEX_EVERY_S, [])

    monkeypatch.setattr(disk, "is_low", lambda *_: False)
    assert [job.run() for _ in range(3)] == [worker.INDEX_REST_S, worker.INDEX_REST_S, worker.INDEX_EVERY_S]
    assert len(blocks(seed.db)) == 2


def test_issues_that_are_deleted_while_it_waits_go_soon(seed: Seed, settings: config.Settings) -> None:
    pid = start(seed, settings)
    until(lambda: last_run(seed.db) and run_of(seed).finished_at_ms, "the first clean-up")
    many_events(seed, 600)

    with connection.immediate(seed.db):
        delete_issues(seed.db, [row[0] for row in seed.rows("SELECT id FROM issues")])
    until(lambda: seed.value("SELECT count(*) FROM issues") == 0, "the issues to go")
    assert ended(pid, signal.SIGTERM) == 0

    assert seed.value("SELECT count(*) FROM events") == 0


def test_it_cleans_up_and_measures_sizes_at_its_start(seed: Seed, settings: config.Settings) -> None:
    many_events(seed, 600)
    pid = start(seed, settings)

    until(lambda: last_run(seed.db) and run_of(seed).finished_at_ms, "the first clean-up")
    until(lambda: last_sample(seed.db), "the first sample")
    assert ended(pid, signal.SIGTERM) == 0

    sample = last_sample(seed.db)
    assert sample is not None
    assert sample.row_counts["events"] == len(stored(seed)) < 600
    assert run_of(seed).asked_by is None


def test_a_requested_purge_starts_soon_while_it_waits(seed: Seed, settings: config.Settings) -> None:
    pid = start(seed, settings)
    until(lambda: last_run(seed.db) and run_of(seed).finished_at_ms, "the first clean-up")
    many_events(seed, 600)

    with connection.immediate(seed.db):
        asked = retention.ask_for_run(seed.db, asked_by="ada", now_ms=NOW_MS)
    until(lambda: get_run(seed.db, asked.id).finished_at_ms, "the purge")  # type: ignore[union-attr]
    assert ended(pid, signal.SIGTERM) == 0

    run = get_run(seed.db, asked.id)
    assert run is not None
    assert run.raw_events_deleted == 600 - len(stored(seed)) > 0
    assert run.asked_by == "ada"
    assert open_run(seed.db) is None


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def finish(job: PruneJob, seed: Seed) -> int:
    """Run it until the open clean-up is finished; return the number of runs."""
    job.run()
    for _ in range(10_000):
        if open_run(seed.db) is None:
            break
        job.run()
    return int(seed.value("SELECT max(id) FROM retention_runs"))


def test_clean_ups_begin_by_the_clock_or_on_demand_and_not_in_between(seed: Seed, settings: config.Settings) -> None:
    clock = Clock()
    with closing(connection.open_control(seed.path)) as db:
        job = PruneJob(settings, db, clock)

        assert finish(job, seed) == 1
        for clock.now_s in (101.0, 3000.0, 3699.0):
            assert finish(job, seed) == 1
        clock.now_s = 3701.0
        assert finish(job, seed) == 2
        with connection.immediate(seed.db):
            retention.ask_for_run(seed.db, asked_by="ada", now_ms=NOW_MS)
        assert finish(job, seed) == 3


def test_while_the_disk_is_low_it_cleans_up_every_minute(
    seed: Seed, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, is_low = Clock(), False
    monkeypatch.setattr(disk, "is_low", lambda path, minimum: is_low)
    with closing(connection.open_control(seed.path)) as db:
        job = PruneJob(settings, db, clock)
        assert finish(job, seed) == 1
        runs = []
        is_low = True
        for clock.now_s in (101.0, 161.0, 162.0, 222.0):
            runs.append(finish(job, seed))

    assert runs == [1, 2, 2, 3]


def test_a_clean_up_that_fails_stores_the_reason_and_runs_again(
    seed: Seed, settings: config.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_events(seed, 600)
    with closing(connection.open_control(seed.path)) as db:
        job = PruneJob(settings, db)
        with monkeypatch.context() as broken:
            broken.setattr(prune, "delete_events", lambda *_: (_ for _ in ()).throw(apsw.FullError("disk is full")))
            with pytest.raises(apsw.FullError):
                finish(job, seed)
        failed = run_of(seed)

        finish(job, seed)

    assert (failed.error, failed.raw_events_deleted, failed.finished_at_ms) == ("FullError: disk is full", 0, None)
    assert (run_of(seed).error, run_of(seed).finished_at_ms is None) == (None, False)
    assert run_of(seed).raw_events_deleted == 600 - len(stored(seed)) > 0
    assert seed.value("SELECT count(*) FROM retention_runs") == 1
