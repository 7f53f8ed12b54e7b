"""How long what is kept, as people have set it, and what the clean-ups did."""

from __future__ import annotations

from typing import NamedTuple

import apsw


class PolicyRow(NamedTuple):
    """None: as the settings file says. `revision` rises with every change, those of projects included."""

    raw_events_days: int | None
    hourly_counts_days: int | None
    revision: int


class OverrideRow(NamedTuple):
    project_id: int
    public_id: str
    slug: str
    name: str
    raw_events_days: int


class RetentionRunRow(NamedTuple):
    """One clean-up. Counts are what it has deleted so far."""

    id: int
    asked_by: str | None  # None: by the clock
    asked_at_ms: int
    started_at_ms: int | None
    finished_at_ms: int | None
    error: str | None  # why it goes on later
    raw_events_due: int | None  # None: not looked for yet
    raw_events_deleted: int
    hourly_counts_deleted: int
    others_deleted: int
    bytes_freed: int


_SELECT_POLICY = "SELECT raw_events_days, hourly_counts_days, revision FROM retention_policy"
_SELECT_REVISION = "SELECT revision FROM retention_policy"
_SELECT_OVERRIDES = """
SELECT p.id, p.public_id, p.slug, p.name, o.raw_events_days
  FROM retention_overrides AS o
  JOIN projects AS p ON p.id = o.project_id AND p.deleted_at_ms IS NULL
 ORDER BY p.created_at_ms, p.id
"""
_RUN = """
SELECT id, asked_by, asked_at_ms, started_at_ms, finished_at_ms, error, raw_events_due, raw_events_deleted,
       hourly_counts_deleted, others_deleted, bytes_freed
  FROM retention_runs
"""
_SELECT_OPEN = f"{_RUN} WHERE finished_at_ms IS NULL ORDER BY id LIMIT 1"  # served by retention_runs_open
_SELECT_RUN = f"{_RUN} WHERE id = :run_id"
_SELECT_LAST = f"{_RUN} ORDER BY id DESC LIMIT 1"


def policy_row(db: apsw.Connection) -> PolicyRow:
    row = db.execute(_SELECT_POLICY).fetchone()
    assert row is not None, "its migration puts one row there"
    return PolicyRow(*row)


def revision(db: apsw.Connection) -> int:
    found = db.execute(_SELECT_REVISION).get
    assert isinstance(found, int)
    return found


def overrides(db: apsw.Connection) -> list[OverrideRow]:
    """Projects that keep events for a time of their own, oldest project first."""
    return [OverrideRow(*row) for row in db.execute(_SELECT_OVERRIDES)]


def open_run(db: apsw.Connection) -> RetentionRunRow | None:
    """The clean-up that waits or is being worked on; there is one at most."""
    row = db.execute(_SELECT_OPEN).fetchone()
    return RetentionRunRow(*row) if row else None


def get_run(db: apsw.Connection, run_id: int) -> RetentionRunRow | None:
    row = db.execute(_SELECT_RUN, {"run_id": run_id}).fetchone()
    return RetentionRunRow(*row) if row else None


def last_run(db: apsw.Connection) -> RetentionRunRow | None:
    """The newest one, finished or not."""
    row = db.execute(_SELECT_LAST).fetchone()
    return RetentionRunRow(*row) if row else None
