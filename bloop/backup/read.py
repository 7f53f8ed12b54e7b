"""Backups that were made, and attempts to."""

from __future__ import annotations

from typing import NamedTuple

import apsw

RUNS_SHOWN = 20


class RunRow(NamedTuple):
    """One attempt. `file` is the packed file's name once it is there, also when its restore drill failed then."""

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


class Past(NamedTuple):
    """What the schedule goes by."""

    created_at_ms: int | None  # the database was made
    good_at_ms: int | None  # the newest backup that worked is of this moment
    failures: int  # attempts since that did not work
    failed_at_ms: int | None  # the newest of them ended, or started and was killed


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


def newest_runs(db: apsw.Connection, limit: int = RUNS_SHOWN) -> list[RunRow]:
    return [RunRow(*row) for row in db.execute(_SELECT_NEWEST, {"limit": limit})]


def get_run(db: apsw.Connection, run_id: int) -> RunRow | None:
    return _one(db, _SELECT_RUN, {"run_id": run_id})


def open_run(db: apsw.Connection) -> RunRow | None:
    """The attempt that waits or is being worked on; there is one at most."""
    return _one(db, _SELECT_OPEN)


def last_good(db: apsw.Connection) -> RunRow | None:
    return _one(db, _SELECT_LAST_GOOD)


def last_proven_at_ms(db: apsw.Connection) -> int | None:
    """When a backup was last restored to the end, to see whether it can be."""
    found = db.execute(_SELECT_LAST_PROVEN).get
    return found if isinstance(found, int) else None


def failing(db: apsw.Connection) -> str | None:
    """Why the newest attempt that ended failed; None when it worked, or none ended yet."""
    run = _one(db, _SELECT_LAST_ENDED)
    return None if run is None or run.state == "done" else run.error or "it failed"


def bad_files(db: apsw.Connection) -> frozenset[str]:
    """Names of files that did not pass their restore drill."""
    return frozenset(row[0] for row in db.execute(_SELECT_BAD_FILES))


def past(db: apsw.Connection) -> Past:
    row = db.execute(_SELECT_PAST).fetchone()
    assert row is not None, "an aggregate without GROUP BY has one row"
    return Past(*row)


def _one(db: apsw.Connection, statement: str, bindings: dict[str, int] | None = None) -> RunRow | None:
    row = db.execute(statement, bindings or {}).fetchone()
    return RunRow(*row) if row else None
