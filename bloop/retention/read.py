"""Reads the saved retention policy and the clean-ups."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class PolicyRow(NamedTuple):
    """None: as in the settings file. `revision` rises with every change, including those of projects."""

    raw_events_days: int | None
    hourly_counts_days: int | None
    issues_days: int | None  # 0: issues stay
    revision: int


class OverrideRow(NamedTuple):
    """Days that a project has set for itself; None: as the others."""

    project_id: int
    public_id: str
    slug: str
    name: str
    raw_events_days: int | None
    issues_days: int | None = None  # 0: its issues stay


class RetentionRunRow(NamedTuple):
    """One clean-up. The counts are the rows deleted so far."""

    id: int
    asked_by: str | None  # None: by schedule
    asked_at_ms: int
    started_at_ms: int | None
    finished_at_ms: int | None
    error: str | None  # why it was interrupted; it continues later
    raw_events_due: int | None  # None: not counted yet
    raw_events_deleted: int
    hourly_counts_deleted: int
    others_deleted: int
    bytes_freed: int
    issues_deleted: int = 0


_SELECT_POLICY = "SELECT raw_events_days, hourly_counts_days, issues_days, revision FROM retention_policy"
_SELECT_REVISION = "SELECT revision FROM retention_policy"
_SELECT_OVERRIDES = """
SELECT p.id, p.public_id, p.slug, p.name, o.raw_events_days, i.issues_days
  FROM projects AS p
  LEFT JOIN retention_overrides AS o ON o.project_id = p.id
  LEFT JOIN retention_issue_overrides AS i ON i.project_id = p.id
 WHERE p.deleted_at_ms IS NULL AND coalesce(o.project_id, i.project_id) IS NOT NULL
 ORDER BY p.created_at_ms, p.id
"""
_RUN = """
SELECT id, asked_by, asked_at_ms, started_at_ms, finished_at_ms, error, raw_events_due, raw_events_deleted,
       hourly_counts_deleted, others_deleted, bytes_freed, issues_deleted
  FROM retention_runs
"""
_SELECT_OPEN = f"{_RUN} WHERE finished_at_ms IS NULL ORDER BY id LIMIT 1"  # served by retention_runs_open
_SELECT_RUN = f"{_RUN} WHERE id = :run_id"
_SELECT_LAST = f"{_RUN} ORDER BY id DESC LIMIT 1"


def policy_row(db: Db) -> PolicyRow:
    row = db.execute(_SELECT_POLICY).fetchone()
    assert row is not None, "its migration puts one row there"
    return PolicyRow(*row)


def revision(db: Db) -> int:
    value = db.execute(_SELECT_REVISION).get
    assert isinstance(value, int)
    return value


def overrides(db: Db) -> list[OverrideRow]:
    """Projects with their own retention, oldest project first."""
    return [OverrideRow(*row) for row in db.execute(_SELECT_OVERRIDES)]


def open_run(db: Db) -> RetentionRunRow | None:
    """The clean-up that waits or runs; there is at most one."""
    row = db.execute(_SELECT_OPEN).fetchone()
    return RetentionRunRow(*row) if row else None


def get_run(db: Db, run_id: int) -> RetentionRunRow | None:
    row = db.execute(_SELECT_RUN, {"run_id": run_id}).fetchone()
    return RetentionRunRow(*row) if row else None


def last_run(db: Db) -> RetentionRunRow | None:
    """The newest clean-up, finished or not."""
    row = db.execute(_SELECT_LAST).fetchone()
    return RetentionRunRow(*row) if row else None
