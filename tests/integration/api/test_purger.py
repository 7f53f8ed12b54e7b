"""The thread that clears up after deleted projects, on a real file, beside a writer that does not wait."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bloop.base import clock
from bloop.db import connection
from bloop.projects import read as read_projects
from bloop.projects import store as projects
from bloop.projects.purger import Purger
from tests.seed import NOW_MS, Seed, many_issues
from tests.waiting import until


@pytest.fixture
def seed(tmp_path: Path) -> Seed:
    return Seed(tmp_path / "bloop.db")


def delete(seed: Seed, slug: str) -> None:
    row = read_projects.get_project(seed.db, slug)
    assert row is not None
    with connection.immediate(seed.db):
        projects.delete_project(seed.db, row, NOW_MS)


def test_a_woken_purger_clears_up_in_steps_between_which_others_write(seed: Seed) -> None:
    many_issues(seed, seed.project("big"), 20_000)
    seed.project("small")
    purger = Purger(seed.path, lambda: NOW_MS)
    purger.start()

    delete(seed, "big")
    purger.wake()
    writes = 0

    def is_purged_after_a_write() -> bool:
        nonlocal writes
        with connection.immediate(seed.db):
            seed.db.execute("UPDATE projects SET next_short_number = next_short_number + 1 WHERE slug = 'small'")
        writes += 1
        return not read_projects.list_projects_to_purge(seed.db)

    until(is_purged_after_a_write, "the purge", within_s=60)
    purger.stop()

    assert seed.value("SELECT count(*) FROM issues") == 0
    assert writes > 10  # how many rows a step may remove: tests/integration/projects/test_purge.py
    seed.close()


def test_the_remains_of_a_killed_process_are_removed_at_the_next_start(seed: Seed) -> None:
    many_issues(seed, seed.project("big"), 5_000)
    delete(seed, "big")
    first = Purger(seed.path, lambda: NOW_MS)
    first.start()
    until(lambda: seed.value("SELECT count(*) FROM issues") < 5_000, "the first purger to begin")
    first.stop()

    second = Purger(seed.path, lambda: NOW_MS)
    second.start()
    until(lambda: not read_projects.list_projects_to_purge(seed.db), "the second purger to finish")
    second.stop()

    assert seed.value("SELECT count(*) FROM issues") == 0
    assert seed.value("SELECT purged_at_ms FROM projects") == NOW_MS
    seed.close()


def test_a_purger_survives_a_locked_database(
    seed: Seed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 10)
    seed.project("shop")
    delete(seed, "shop")
    seed.db.execute("BEGIN IMMEDIATE")
    purger = Purger(seed.path, clock.now_ms)
    purger.start()
    until(lambda: "purge postponed" in caplog.text, "it to find the database locked")
    seed.db.execute("ROLLBACK")

    def is_purged() -> bool:
        purger.wake()
        return not read_projects.list_projects_to_purge(seed.db)

    until(is_purged, "the purge")
    purger.stop()
    assert "purger" not in {thread.name for thread in threading.enumerate()}
    seed.close()
