"""Rings that are gone: their accounts are closed once nothing of them is left to read.

A ring goes with the machine's memory, and so do the records in it and its counters. What had spilled to the disk is
still stored, and the last counters that came into the ledger tell how much did not make it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bloop.base.clock import minute_of
from bloop.base.outcomes import REFUSALS, Outcome
from bloop.db import connection
from bloop.db.engine import Db
from bloop.pipeline import ledger_lines as ledger
from bloop.pipeline import ring_state
from bloop.pipeline.ring_state import CellKey


def close_accounts(db: Db, keep: Collection[int], now_ms: int) -> int:
    """Balance and forget every ring but those to `keep`; return how many of their records are lost.

    Raises:
        db_errors.Error: nothing was changed.
    """
    lost = 0
    with connection.immediate(db):
        for ring_id in ring_state.rings(db):
            if ring_id not in keep:
                lines = list(closing_lines(ring_state.cells(db, ring_id)))
                minute = minute_of(now_ms)
                ledger.add_outcomes(db, ((minute, *line) for line in lines))
                ring_state.forget(db, ring_id)
                lost += sum(n for *_, outcome, n in lines if outcome == Outcome.INTERRUPTED)
    return lost


def closing_lines(folded: dict[CellKey, int]) -> Iterable[tuple[int, int, Outcome, int]]:
    """(project id, category, outcome, count) that make RECEIVED equal to the sum of outcomes.

    Records that were received and are nowhere went with the ring. Records that are stored and were never counted as
    received came from a spill: the ring went before their count was in the ledger.
    """
    for account in sorted({key[:3] for key in folded}):
        _, project_id, category = account
        outcomes = sum(folded.get((*account, outcome), 0) for outcome in (Outcome.STORED, *REFUSALS))
        missing = folded.get((*account, Outcome.RECEIVED), 0) - outcomes
        if missing > 0:
            yield project_id, category, Outcome.INTERRUPTED, missing
        elif missing < 0:
            yield project_id, category, Outcome.RECEIVED, -missing
