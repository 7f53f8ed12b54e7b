"""The ledger's lines, written in the transaction that makes them true. Their meaning: `bloop.base.outcomes`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bloop.base.limits import Limit
from bloop.db.engine import Db

_UPSERT_MINUTE = """
INSERT INTO ledger (minute_ms, project_id, category, outcome, count) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (minute_ms, project_id, category, outcome) DO UPDATE SET count = ledger.count + excluded.count
"""

_UPSERT_TOTAL = """
INSERT INTO ledger_totals (project_id, category, outcome, count) VALUES (?, ?, ?, ?)
    ON CONFLICT (project_id, category, outcome) DO UPDATE SET count = ledger_totals.count + excluded.count
"""

_ADD_OVERFLOWS = """
INSERT INTO overflow_counts (project_id, hour_ms, kind, event_count) VALUES (?, ?, ?, ?)
    ON CONFLICT (project_id, hour_ms, kind) DO UPDATE
   SET event_count = overflow_counts.event_count + excluded.event_count
"""


def add_outcomes(db: Db, lines: Iterable[tuple[int, int, int, int, int]]) -> None:
    """Book lines of (minute in ms, project id, category, outcome, count), by minute and in total."""
    for minute_ms, project_id, category, outcome, count in lines:
        db.execute(_UPSERT_MINUTE, (minute_ms, project_id, int(category), int(outcome), count))
        db.execute(_UPSERT_TOTAL, (project_id, int(category), int(outcome), count))


def add_overflows(db: Db, counts: Mapping[tuple[int, int, Limit], int]) -> None:
    """Count stored events that a limit put elsewhere, by project, hour and limit."""
    if counts:
        db.executemany(_ADD_OVERFLOWS, [(p, hour_ms, int(limit), n) for (p, hour_ms, limit), n in counts.items()])
