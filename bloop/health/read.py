"""Whether the database answers, and what /metrics reads from it: kept sums and small tables, never events."""

from __future__ import annotations

from typing import NamedTuple

from bloop.alerts.deliveries.read import DeliveryState, count_deliveries
from bloop.backup import read as backups
from bloop.db.engine import Db
from bloop.processes.read import STALE_MS, process_states


class Total(NamedTuple):
    project_id: int  # 0 for requests that named no project
    slug: str | None  # None: of all projects beyond the limit together
    outcome: int
    record_count: int


class Process(NamedTuple):
    name: str
    seen_at_ms: int
    is_alive: bool


class BackupTimes(NamedTuple):
    good_at_ms: int | None
    proven_at_ms: int | None
    is_failing: bool


class Read(NamedTuple):
    totals: list[Total]
    deliveries: dict[str, int]  # that wait or have failed; those sent are many, and nobody's trouble
    deliveries_made: int
    processes: list[Process]
    backup: BackupTimes


# By id, not by size: whoever has a label keeps it, so no series jumps when another project grows. A deleted project
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
_SELECT_ONE_ROW = "SELECT id FROM projects LIMIT 1"
_SELECT_MADE = "SELECT coalesce(max(id), 0) FROM deliveries"


def read_metrics(db: Db, now_ms: int, *, projects_max: int) -> Read:
    few = (DeliveryState.WAITING, DeliveryState.FAILED)
    good = backups.last_good(db)
    return Read(
        totals=[Total(*row) for row in db.execute(_SELECT_TOTALS, {"limit": projects_max})],
        deliveries={state.value: count_deliveries(db, state) for state in few},
        deliveries_made=int(db.execute(_SELECT_MADE).get),
        processes=[
            Process(state.name, state.seen_at_ms, now_ms - state.seen_at_ms <= STALE_MS) for state in process_states(db)
        ],
        backup=BackupTimes(
            good.started_at_ms if good else None, backups.last_proven_at_ms(db), backups.failing(db) is not None
        ),
    )


def database_answers(db: Db) -> bool:
    """A real read of a real table; raises what SQLite raises."""
    db.execute(_SELECT_ONE_ROW).fetchone()
    return True
