"""Reads the attempts to make backups."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db

RUNS_SHOWN = 20


class BackupRunRow(NamedTuple):
    """One attempt. `file` is the packed file's name once it exists, even if its restore drill failed."""

    id: int
    cause: str  # schedule, asked, command
    asked_by: str | None
    state: str  # waiting, running, done, failed, interrupted
    asked_at_ms: int
    started_at_ms: int | None
    ended_at_ms: int | None
    file: str | None
    file_bytes: int | None
    database_bytes: int | None
    proven_at_ms: int | None
    error: str | None


class ScheduleHistory(NamedTuple):
    """The times from which the schedule computes the next backup."""

    created_at_ms: int | None  # of the database
    good_at_ms: int | None  # moment of the newest good backup
    failures: int  # failed attempts since then
    failed_at_ms: int | None  # end of the newest failure, or its start if it was killed


_RUN = """
SELECT id, cause, asked_by, state, asked_at_ms, started_at_ms, ended_at_ms, file, file_bytes, database_bytes,
       proven_at_ms, error
  FROM backup_runs
"""
_SELECT_NEWEST = f"{_RUN} ORDER BY id DESC LIMIT :limit"
_SELECT_RUN = f"{_RUN} WHERE id = :run_id"
_SELECT_OPEN = f"{_RUN} WHERE state IN ('waiting', 'running') ORDER BY id LIMIT 1"  # served by backup_runs_open
_SELECT_LAST_ENDED = f"{_RUN} WHERE state IN ('done', 'failed') ORDER BY id DESC LIMIT 1"
_SELECT_LAST_GOOD = f"{_RUN} WHERE state = 'done' ORDER BY id DESC LIMIT 1"
_SELECT_LAST_PROVEN = "SELECT max(proven_at_ms) FROM backup_runs"
_SELECT_BAD_FILES = "SELECT file FROM backup_runs WHERE state = 'failed' AND file IS NOT NULL"
_SELECT_PAST = """
SELECT (SELECT min(applied_at_ms) FROM schema_migrations), max(good.started_at_ms),
       count(bad.id), max(coalesce(bad.ended_at_ms, bad.started_at_ms))
  FROM (SELECT max(id) AS id FROM backup_runs WHERE state = 'done') AS newest
  LEFT JOIN backup_runs AS good ON good.id = newest.id
  LEFT JOIN backup_runs AS bad ON bad.id > coalesce(newest.id, 0) AND bad.state IN ('failed', 'interrupted')
"""


def newest_runs(db: Db, limit: int = RUNS_SHOWN) -> list[BackupRunRow]:
    return [BackupRunRow(*row) for row in db.execute(_SELECT_NEWEST, {"limit": limit})]


def get_run(db: Db, run_id: int) -> BackupRunRow | None:
    return _one(db, _SELECT_RUN, {"run_id": run_id})


def open_run(db: Db) -> BackupRunRow | None:
    """The attempt that waits or runs; there is at most one."""
    return _one(db, _SELECT_OPEN)


def last_good(db: Db) -> BackupRunRow | None:
    return _one(db, _SELECT_LAST_GOOD)


def last_proven_at_ms(db: Db) -> int | None:
    """When a backup last passed its restore drill."""
    proven_at_ms = db.execute(_SELECT_LAST_PROVEN).get
    return proven_at_ms if isinstance(proven_at_ms, int) else None


def failing(db: Db) -> str | None:
    """The error of the newest ended attempt; None when it worked, or no attempt ended yet."""
    run = _one(db, _SELECT_LAST_ENDED)
    return None if run is None or run.state == "done" else run.error or "it failed"


def bad_files(db: Db) -> frozenset[str]:
    """Names of files that failed their restore drill."""
    return frozenset(row[0] for row in db.execute(_SELECT_BAD_FILES))


def schedule_history(db: Db) -> ScheduleHistory:
    row = db.execute(_SELECT_PAST).fetchone()
    assert row is not None, "an aggregate without GROUP BY has one row"
    return ScheduleHistory(*row)


def _one(db: Db, statement: str, bindings: dict[str, int] | None = None) -> BackupRunRow | None:
    row = db.execute(statement, bindings or {}).fetchone()
    return BackupRunRow(*row) if row else None
