"""The backup job of the retention process (workers/backups.py), BACKUPS-1 to 3, with real files and an own clock."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from bloop.backup import folder as folders
from bloop.backup import read as query
from bloop.backup import store as storage
from bloop.backup.folder import Entry
from bloop.backup.manifest import Manifest
from bloop.backup.verify import drill, verify
from bloop.backup.watch import Watch
from bloop.base import config
from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.base.config import Settings
from bloop.base.errors import BackupError
from bloop.base.reasons import Reason
from bloop.db import connection, migrate
from tests.waiting import until
from workers import backups as job
from workers.backups import BackupJob

MADE_MS = 20_000 * DAY_MS + 12 * HOUR_MS  # at noon
NIGHT_MS = MADE_MS + 15 * HOUR_MS  # 03:00
WITHIN_S = 20.0


class Clock:
    def __init__(self) -> None:
        self.now_ms = MADE_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    environ = {"BLOOP__DATABASE__PATH": str(tmp_path / "bloop.db"), "BLOOP__DATABASE__DISK_FREE_BYTES_MIN": "0"}
    made = config.load(environ=environ, secret_required=False)
    migrate.migrate(made.database_path, MADE_MS)
    return made


@pytest.fixture
def db(settings: Settings) -> Iterator[apsw.Connection]:
    with closing(connection.open_control(settings.database_path)) as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backups(settings: Settings, db: apsw.Connection, clock: Clock) -> Iterator[BackupJob]:
    made = BackupJob(settings, db, clock)
    yield made
    made.finish()


def work(backups: BackupJob) -> None:
    """Run the job as its process does until there is nothing to do."""
    until(lambda: backups.run() != job.LOOK_AT_WORK_EVERY_S, "the work to be done", WITHIN_S)


def ask(db: apsw.Connection, now_ms: int = MADE_MS) -> None:
    with connection.immediate(db):
        storage.request(db, cause="asked", asked_by=None, now_ms=now_ms)


def files(settings: Settings) -> list[Entry]:
    return folders.entries(settings.backup_dir)


def fail(*args: object, **kwargs: object) -> Manifest:
    raise BackupError("it does not unpack")


def test_no_backup_is_made_before_the_first_night(
    backups: BackupJob, settings: Settings, db: apsw.Connection, clock: Clock
) -> None:
    clock.now_ms = NIGHT_MS - 1
    work(backups)
    assert not settings.backup_dir.exists()

    clock.now_ms = NIGHT_MS
    work(backups)

    (made,) = files(settings)
    (run,) = query.newest_runs(db)
    assert (made.manifest.cause, made.manifest.created_at_ms) == ("schedule", NIGHT_MS)
    assert (run.state, run.file, run.proven_at_ms, run.error) == ("done", made.path.name, NIGHT_MS, None)
    assert verify(made.path) == made.manifest


def test_a_night_is_one_backup(backups: BackupJob, settings: Settings, clock: Clock) -> None:
    for hours in (0, 1, 8, 23):
        clock.now_ms = NIGHT_MS + hours * HOUR_MS
        work(backups)
    assert len(files(settings)) == 1

    clock.now_ms = NIGHT_MS + 5 * DAY_MS + HOUR_MS  # and four nights missed are one more
    work(backups)
    work(backups)
    assert len(files(settings)) == 2


def test_as_many_as_are_kept_are_kept(settings: Settings, db: apsw.Connection, clock: Clock) -> None:
    backups = BackupJob(replace(settings, backup=replace(settings.backup, keep=3)), db, clock)
    for night in range(5):
        clock.now_ms = NIGHT_MS + night * DAY_MS
        work(backups)

    kept = [entry.manifest.created_at_ms for entry in files(settings)]

    assert kept == [NIGHT_MS + night * DAY_MS for night in (4, 3, 2)]


def test_a_requested_backup_is_made_even_if_nightly_ones_are_off(
    settings: Settings, db: apsw.Connection, clock: Clock
) -> None:
    backups = BackupJob(replace(settings, backup=replace(settings.backup, enabled=False)), db, clock)
    clock.now_ms = NIGHT_MS
    work(backups)
    assert files(settings) == []

    ask(db)
    work(backups)

    assert [entry.manifest.cause for entry in files(settings)] == ["asked"]


def test_a_failure_is_reported_until_the_next_success(
    backups: BackupJob, settings: Settings, db: apsw.Connection, clock: Clock
) -> None:
    settings.backup_dir.mkdir(mode=0o700)
    settings.backup_dir.chmod(0o777)  # anybody may write there: refused
    ask(db)
    work(backups)
    assert list(backups.troubles()) == [Reason.BACKUP_FAILING]
    assert "every user may write" in (query.failing(db) or "")
    assert list(BackupJob(settings, db, clock).troubles()) == []  # one that has not looked yet
    restarted = BackupJob(settings, db, clock)
    restarted.run()
    assert list(restarted.troubles()) == [Reason.BACKUP_FAILING]

    settings.backup_dir.chmod(0o700)
    ask(db)
    work(backups)

    assert list(backups.troubles()) == []
    assert query.failing(db) is None


def test_a_night_that_failed_is_tried_again_after_a_pause(
    backups: BackupJob, settings: Settings, db: apsw.Connection, clock: Clock
) -> None:
    settings.backup_dir.mkdir(mode=0o700)
    settings.backup_dir.chmod(0o777)
    clock.now_ms = NIGHT_MS
    work(backups)
    settings.backup_dir.chmod(0o700)

    clock.now_ms = NIGHT_MS + 14 * 60_000
    work(backups)
    assert len(query.newest_runs(db)) == 1

    clock.now_ms = NIGHT_MS + 15 * 60_000
    work(backups)
    assert [run.state for run in query.newest_runs(db)] == ["done", "failed"]


def test_a_drill_that_fails_is_red_and_the_last_good_one_stays(
    settings: Settings, db: apsw.Connection, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = BackupJob(replace(settings, backup=replace(settings.backup, keep=1)), db, clock)
    ask(db)
    work(backups)
    (good,) = files(settings)
    monkeypatch.setattr(job, "drill", fail)
    for hours in (1, 2, 3):
        clock.now_ms = MADE_MS + hours * HOUR_MS
        ask(db)
        work(backups)

    assert query.newest_runs(db)[0].error == "the restore drill failed: it does not unpack"
    assert query.newest_runs(db)[0].proven_at_ms is None
    assert list(backups.troubles()) == [Reason.BACKUP_FAILING]
    assert [entry.manifest.created_at_ms for entry in files(settings)] == [MADE_MS + 3 * HOUR_MS, MADE_MS]
    assert good in files(settings)
    assert query.last_proven_at_ms(db) == MADE_MS


def test_a_disk_that_is_too_small_is_named(settings: Settings, db: apsw.Connection, clock: Clock) -> None:
    small = replace(settings, database=replace(settings.database, disk_free_bytes_min=1 << 60))
    backups = BackupJob(small, db, clock)
    ask(db)
    work(backups)

    assert "not enough space" in (query.failing(db) or "")
    assert files(settings) == []


def test_one_that_was_killed_is_found_and_made_up_after_a_pause(
    settings: Settings, db: apsw.Connection, clock: Clock
) -> None:
    with connection.immediate(db):
        run = storage.request(db, cause="schedule", asked_by=None, now_ms=NIGHT_MS)
        storage.begin(db, run.id, NIGHT_MS)
    backups = BackupJob(settings, db, clock)

    clock.now_ms = NIGHT_MS + 60_000
    work(backups)
    assert [run.state for run in query.newest_runs(db)] == ["interrupted"]
    assert list(backups.troubles()) == []

    clock.now_ms = NIGHT_MS + 15 * 60_000
    work(backups)
    assert [run.state for run in query.newest_runs(db)] == ["done", "interrupted"]


def test_a_stop_ends_the_work_and_keeps_nothing_half_made(
    settings: Settings, db: apsw.Connection, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def slow(database: Path, folder: Path, now_ms: int, *, cause: object, watch: Watch) -> Entry:
        begun.set()
        until(lambda: watch.check("Copying", 0, 1), "to be told to stop", WITHIN_S)
        raise AssertionError("it looked, and was not stopped")

    monkeypatch.setattr(job, "create", slow)
    backups = BackupJob(settings, db, clock)
    ask(db)
    backups.run()
    assert begun.wait(WITHIN_S)

    backups.finish()

    assert [run.state for run in query.newest_runs(db)] == ["running"]
    assert not [thread for thread in threading.enumerate() if thread.name == "backup"]
    BackupJob(settings, db, clock).run()
    assert [run.state for run in query.newest_runs(db)] == ["interrupted"]


def test_the_work_has_the_lowest_priority_and_the_process_keeps_its_own(
    backups: BackupJob, db: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def check(data: Path, now_ms: int, watch: Watch) -> Manifest:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return drill(data, now_ms, watch)

    monkeypatch.setattr(job, "drill", check)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    ask(db)
    work(backups)

    assert seen == [job.NICE]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_where_priorities_are_forbidden_backups_are_made_all_the_same(
    backups: BackupJob, db: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*arguments: int) -> None:
        raise PermissionError(1, "not here")

    monkeypatch.setattr(os, "setpriority", forbidden)
    ask(db)
    work(backups)

    assert query.newest_runs(db)[0].state == "done"


def test_a_full_year_of_failures_keeps_the_last_good_one_in_the_book(db: apsw.Connection) -> None:
    with connection.immediate(db):
        storage.add_done(db, created_at_ms=1, now_ms=2, file="good", file_bytes=1, database_bytes=1, proven_at_ms=2)
        for number in range(storage.RUNS_KEPT * 2):
            run = storage.request(db, cause="schedule", asked_by=None, now_ms=number)
            storage.begin(db, run.id, number)
            storage.end(db, run.id, now_ms=number, error="full")

    last = query.last_good(db)

    assert last is not None
    assert last.file == "good"
    assert query.last_proven_at_ms(db) == 2
    assert len(query.newest_runs(db, 1000)) == storage.RUNS_KEPT + 1
