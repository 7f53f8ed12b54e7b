"""Updates the statistics of SQLite's planner for tables that have grown, one table at a time.

`PRAGMA optimize` would analyse all of them in one transaction: 50 ms with a million events, where one table takes at
most 14 (measured). A small database is skipped: the planner's defaults suit it, and statistics from ten rows would stay
in use until there are a hundred.
"""

from __future__ import annotations

import apsw

from bloop.retention.sizes import newest_event_id

EVENTS_MIN = 100_000
ROWS_LOOKED_AT = 400  # of an index

_PROPOSE = "PRAGMA optimize(0x10003)"  # list (1) the tables to analyse (2), unused ones too (0x10000)


def stale_statistics(db: apsw.Connection) -> list[str]:
    """The statements that update stale statistics, one per table. Only reads."""
    if newest_event_id(db) < EVENTS_MIN:
        return []
    return [str(row[0]) for row in db.execute(_PROPOSE)]


def refresh(db: apsw.Connection, statement: str) -> None:
    """Run one of these statements in its own transaction."""
    db.pragma("analysis_limit", ROWS_LOOKED_AT)
    db.execute(statement)
