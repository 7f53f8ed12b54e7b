"""Saves the retention policy and records clean-ups. Call inside a transaction.

CLEAN-UP-1  At most one clean-up is unfinished: a request joins it instead of waiting for a second one that would find
    nothing.
CLEAN-UP-2  The counts of a clean-up are added to its row in the transaction that deletes.
"""

from __future__ import annotations

from collections.abc import Iterable

from bloop.db.engine import Db
from bloop.retention.read import RetentionRunRow, get_run, open_run

RUNS_KEPT = 100

_UPDATE_POLICY = """
UPDATE retention_policy
   SET raw_events_days = coalesce(:raw_events_days, raw_events_days),
       hourly_counts_days = coalesce(:hourly_counts_days, hourly_counts_days),
       issues_days = coalesce(:issues_days, issues_days), revision = revision + 1
"""
_UPSERT_OVERRIDE = """
INSERT INTO retention_overrides (project_id, raw_events_days) VALUES (?, ?)
    ON CONFLICT (project_id) DO UPDATE SET raw_events_days = excluded.raw_events_days
"""
_DELETE_OVERRIDE = "DELETE FROM retention_overrides WHERE project_id = ?"
_UPSERT_ISSUE_OVERRIDE = """
INSERT INTO retention_issue_overrides (project_id, issues_days) VALUES (?, ?)
    ON CONFLICT (project_id) DO UPDATE SET issues_days = excluded.issues_days
"""
_DELETE_ISSUE_OVERRIDE = "DELETE FROM retention_issue_overrides WHERE project_id = ?"

_INSERT_RUN = "INSERT INTO retention_runs (asked_by, asked_at_ms) VALUES (:asked_by, :now_ms) RETURNING id"
_JOIN_RUN = "UPDATE retention_runs SET asked_by = coalesce(asked_by, :asked_by) WHERE id = :run_id"
_TRIM_RUNS = "DELETE FROM retention_runs WHERE id <= :last_id"
_BEGIN = "UPDATE retention_runs SET started_at_ms = coalesce(started_at_ms, :now_ms), error = NULL WHERE id = :run_id"
_SET_DUE = "UPDATE retention_runs SET raw_events_due = raw_events_deleted + :due WHERE id = :run_id"
_ADD = """
UPDATE retention_runs
   SET raw_events_deleted = raw_events_deleted + :raw_events, hourly_counts_deleted = hourly_counts_deleted + :hours,
       others_deleted = others_deleted + :others, bytes_freed = bytes_freed + :bytes_freed,
       issues_deleted = issues_deleted + :issues
 WHERE id = :run_id
"""
_SET_ERROR = "UPDATE retention_runs SET error = :error WHERE id = :run_id AND finished_at_ms IS NULL"
_FINISH = "UPDATE retention_runs SET finished_at_ms = :now_ms, error = NULL WHERE id = :run_id"


def save_policy(
    db: Db,
    *,
    raw_events_days: int | None = None,
    hourly_counts_days: int | None = None,
    issues_days: int | None = None,
    overrides: Iterable[tuple[int, int]] = (),
    issue_overrides: Iterable[tuple[int, int | None]] = (),
) -> None:
    """Change the given values; None leaves one unchanged. `overrides` are (project id, days), 0 days remove one.
    `issue_overrides` are (project id, days): 0 days keep the project's issues for ever, None removes one."""
    days = {"raw_events_days": raw_events_days, "hourly_counts_days": hourly_counts_days, "issues_days": issues_days}
    db.execute(_UPDATE_POLICY, days)
    for project_id, event_days in overrides:
        if event_days:
            db.execute(_UPSERT_OVERRIDE, (project_id, event_days))
        else:
            db.execute(_DELETE_OVERRIDE, (project_id,))
    for project_id, own_days in issue_overrides:
        if own_days is None:
            db.execute(_DELETE_ISSUE_OVERRIDE, (project_id,))
        else:
            db.execute(_UPSERT_ISSUE_OVERRIDE, (project_id, own_days))


def ask_for_run(db: Db, *, asked_by: str | None, now_ms: int) -> RetentionRunRow:
    """The unfinished clean-up, created if there is none (CLEAN-UP-1). `asked_by` is None for the schedule."""
    unfinished = open_run(db)
    if unfinished is None:
        ((run_id,),) = list(db.execute(_INSERT_RUN, {"asked_by": asked_by, "now_ms": now_ms}))
        db.execute(_TRIM_RUNS, {"last_id": run_id - RUNS_KEPT})
    else:
        run_id = unfinished.id
        db.execute(_JOIN_RUN, {"asked_by": asked_by, "run_id": run_id})
    run = get_run(db, run_id)
    assert run is not None, "it was just created or joined"
    return run


def begin_run(db: Db, run_id: int, now_ms: int) -> None:
    """Mark the run as started, or as continued."""
    db.execute(_BEGIN, {"run_id": run_id, "now_ms": now_ms})


def set_due(db: Db, run_id: int, due: int) -> None:
    """How many raw events this run is to delete, beside those it has deleted already."""
    db.execute(_SET_DUE, {"run_id": run_id, "due": due})


def add_deleted(
    db: Db,
    run_id: int,
    *,
    raw_events: int = 0,
    hours: int = 0,
    others: int = 0,
    bytes_freed: int = 0,
    issues: int = 0,
) -> None:
    """Add deleted rows to the counts of the clean-up (CLEAN-UP-2)."""
    counts = {
        "raw_events": raw_events,
        "hours": hours,
        "others": others,
        "bytes_freed": bytes_freed,
        "issues": issues,
    }
    if any(counts.values()):
        db.execute(_ADD, counts | {"run_id": run_id})


def set_error(db: Db, run_id: int, error: str) -> None:
    """Why the run is paused; it continues by itself."""
    db.execute(_SET_ERROR, {"run_id": run_id, "error": error[:300]})


def finish_run(db: Db, run_id: int, now_ms: int) -> None:
    db.execute(_FINISH, {"run_id": run_id, "now_ms": now_ms})
