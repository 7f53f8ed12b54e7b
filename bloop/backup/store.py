"""Records attempts to make backups. Call inside a transaction.

RUNS-1  At most one attempt waits or runs: a request joins it.
RUNS-2  An attempt is recorded before it begins, so a killed one is noticed: the next process that makes backups marks
    it interrupted.
RUNS-3  The newest RUNS_KEPT attempts are kept, and always the newest that worked and the newest that was proven.
"""

from __future__ import annotations

from bloop.backup.read import BackupRunRow, get_run, open_run
from bloop.db.engine import Db

RUNS_KEPT = 100
ERROR_CHARS_MAX = 500

_INSERT = """
INSERT INTO backup_runs (cause, asked_by, state, asked_at_ms) VALUES (:cause, :asked_by, 'waiting', :now_ms)
RETURNING id
"""
_BEGIN = "UPDATE backup_runs SET state = 'running', started_at_ms = :now_ms WHERE id = :run_id"
_END = """
UPDATE backup_runs
   SET state = :state, ended_at_ms = :now_ms, file = :file, file_bytes = :file_bytes,
       database_bytes = :database_bytes, proven_at_ms = :proven_at_ms, error = :error
 WHERE id = :run_id
"""
_INTERRUPT = "UPDATE backup_runs SET state = 'interrupted' WHERE state = 'running'"
_INSERT_DONE = """
INSERT INTO backup_runs (cause, state, asked_at_ms, started_at_ms, ended_at_ms, file, file_bytes, database_bytes,
                         proven_at_ms)
VALUES ('command', 'done', :created_at_ms, :created_at_ms, :now_ms, :file, :file_bytes, :database_bytes, :proven_at_ms)
"""
_TRIM = """
DELETE FROM backup_runs
 WHERE id <= (SELECT max(id) FROM backup_runs) - :kept
   AND id <> coalesce((SELECT max(id) FROM backup_runs WHERE state = 'done'), 0)
   AND id <> coalesce((SELECT max(id) FROM backup_runs WHERE proven_at_ms IS NOT NULL), 0)
"""


def request(db: Db, *, cause: str, asked_by: str | None, now_ms: int) -> BackupRunRow:
    """The attempt that waits or runs, created if there is none (RUNS-1)."""
    run = open_run(db)
    if run is not None:
        return run
    ((run_id,),) = list(db.execute(_INSERT, {"cause": cause, "asked_by": asked_by, "now_ms": now_ms}))
    run = get_run(db, run_id)
    assert run is not None, "it was just inserted"
    db.execute(_TRIM, {"kept": RUNS_KEPT})
    return run


def begin(db: Db, run_id: int, now_ms: int) -> None:
    db.execute(_BEGIN, {"run_id": run_id, "now_ms": now_ms})


def end(
    db: Db,
    run_id: int,
    *,
    now_ms: int,
    file: str | None = None,
    file_bytes: int | None = None,
    database_bytes: int | None = None,
    proven_at_ms: int | None = None,
    error: str | None = None,
) -> None:
    """Record the end of an attempt: `done`, or `failed` with an `error`."""
    db.execute(
        _END,
        {
            "run_id": run_id,
            "state": "failed" if error else "done",
            "now_ms": now_ms,
            "file": file,
            "file_bytes": file_bytes,
            "database_bytes": database_bytes,
            "proven_at_ms": proven_at_ms,
            "error": error and error[:ERROR_CHARS_MAX],
        },
    )


def mark_interrupted(db: Db) -> int:
    """Mark attempts whose process is gone as interrupted (RUNS-2); return how many."""
    db.execute(_INTERRUPT)
    return db.changes()


def add_done(
    db: Db,
    *,
    created_at_ms: int,
    now_ms: int,
    file: str,
    file_bytes: int,
    database_bytes: int,
    proven_at_ms: int | None,
) -> None:
    """Record a backup that the operator's command made."""
    bindings = {
        "created_at_ms": created_at_ms,
        "now_ms": now_ms,
        "file": file,
        "file_bytes": file_bytes,
        "database_bytes": database_bytes,
        "proven_at_ms": proven_at_ms,
    }
    db.execute(_INSERT_DONE, bindings)
    db.execute(_TRIM, {"kept": RUNS_KEPT})
