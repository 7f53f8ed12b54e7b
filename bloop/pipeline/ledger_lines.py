"""The ledger's lines, written in the transaction that makes them true. Their meaning: `bloop.base.outcomes`."""

from __future__ import annotations

from collections.abc import Iterable

from bloop.db.engine import Db

_UPSERT_MINUTE = """
INSERT INTO ledger (minute_ms, project_id, category, outcome, count) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (minute_ms, project_id, category, outcome) DO UPDATE SET count = ledger.count + excluded.count
"""

_UPSERT_TOTAL = """
INSERT INTO ledger_totals (project_id, category, outcome, count) VALUES (?, ?, ?, ?)
    ON CONFLICT (project_id, category, outcome) DO UPDATE SET count = ledger_totals.count + excluded.count
"""


def add_outcomes(db: Db, lines: Iterable[tuple[int, int, int, int, int]]) -> None:
    """Book lines of (minute in ms, project id, category, outcome, count), by minute and in total."""
    for minute_ms, project_id, category, outcome, count in lines:
        db.execute(_UPSERT_MINUTE, (minute_ms, project_id, int(category), int(outcome), count))
        db.execute(_UPSERT_TOTAL, (project_id, int(category), int(outcome), count))
