"""What SQLite's planner knows about tables that have grown, a table at a time.

The same as `PRAGMA optimize`, which would look at all of them in one transaction: 50 ms with a million events, where a
table takes 14 at most (measured). A small database is left alone: what the planner assumes of tables it knows nothing
about suits it, and what it learnt from ten rows would be believed until there are a hundred.
"""

from __future__ import annotations

import apsw

from bloop.retention.sizes import newest_event_id

EVENTS_MIN = 100_000
ROWS_LOOKED_AT = 400  # of an index

_PROPOSE = "PRAGMA optimize(0x10003)"  # say which (1) tables to analyse (2), unused ones too (0x10000)


def stale_statistics(db: apsw.Connection) -> list[str]:
    """The statements that would bring them up to date, one a table. Reads only."""
    if newest_event_id(db) < EVENTS_MIN:
        return []
    return [str(row[0]) for row in db.execute(_PROPOSE)]


def refresh(db: apsw.Connection, statement: str) -> None:
    """Run one of them; a transaction of its own."""
    db.pragma("analysis_limit", ROWS_LOOKED_AT)
    db.execute(statement)
