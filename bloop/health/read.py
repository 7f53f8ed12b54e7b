"""Checks the database, and reads its values for /metrics: stored sums and small tables, never events."""

from __future__ import annotations

from typing import NamedTuple

from bloop.alerts.deliveries.read import DeliveryState, count_deliveries
from bloop.backup import read as backups
from bloop.db.engine import Db
from bloop.processes.read import STALE_MS, process_states


class LedgerTotal(NamedTuple):
    project_id: int  # 0 for requests that named no project
    slug: str | None  # None: all projects beyond the limit together
    outcome: int
    record_count: int


class ProcessHealth(NamedTuple):
    name: str
    seen_at_ms: int
    is_alive: bool


class BackupTimes(NamedTuple):
    good_at_ms: int | None
    proven_at_ms: int | None
    is_failing: bool


class DatabaseMetrics(NamedTuple):
    totals: list[LedgerTotal]
    deliveries: dict[str, int]  # waiting and failed ones
    deliveries_made: int
    processes: list[ProcessHealth]
    backup: BackupTimes


# By id, not by size: a project keeps its label, so no series jumps when another project grows. A deleted project
# keeps its row, whose slug is '#' and its id. Served by the primary key; a dozen rows per project.
_SELECT_TOTALS = """
WITH named AS (SELECT id, slug FROM projects ORDER BY id LIMIT :limit)
SELECT coalesce(n.id, CASE WHEN t.project_id = 0 THEN 0 ELSE -1 END),
       CASE WHEN t.project_id = 0 THEN '' ELSE n.slug END, t.outcome, sum(t.count)
  FROM ledger_totals AS t
  LEFT JOIN named AS n ON n.id = t.project_id
 WHERE t.category = 0
 GROUP BY 1, 2, t.outcome
 ORDER BY 1, 2, t.outcome
"""
_STATES = (DeliveryState.WAITING, DeliveryState.FAILED)  # sent ones are many and need no attention
_SELECT_ONE_ROW = "SELECT id FROM projects LIMIT 1"
_SELECT_MADE = "SELECT coalesce(max(id), 0) FROM deliveries"


def read_metrics(db: Db, now_ms: int, *, projects_max: int) -> DatabaseMetrics:
    rows = read_system_rows(db, now_ms)
    return DatabaseMetrics(
        totals=[LedgerTotal(*row) for row in db.execute(_SELECT_TOTALS, {"limit": projects_max})],
        deliveries=rows.deliveries,
        deliveries_made=int(db.execute(_SELECT_MADE).get),
        processes=rows.processes,
        backup=rows.backup,
    )


class SystemRows(NamedTuple):
    """What the system page reads from the database."""

    deliveries: dict[str, int]
    processes: list[ProcessHealth]
    backup: BackupTimes


def read_system_rows(db: Db, now_ms: int) -> SystemRows:
    """Small tables and indexed counts only."""
    newest = backups.last_good(db)
    return SystemRows(
        deliveries={state.value: count_deliveries(db, state) for state in _STATES},
        processes=[
            ProcessHealth(state.name, state.seen_at_ms, now_ms - state.seen_at_ms <= STALE_MS)
            for state in process_states(db)
        ],
        backup=BackupTimes(
            newest.started_at_ms if newest else None, backups.last_proven_at_ms(db), backups.failing(db) is not None
        ),
    )


def check_database(db: Db) -> bool:
    """Read a real table; raises the database's errors."""
    db.execute(_SELECT_ONE_ROW).fetchone()
    return True
