"""When the planner's statistics are worth refreshing.

A small database is left alone: what the planner assumes of tables it knows nothing about suits it, and what it learnt
from ten rows would be believed until there are a hundred.
"""

from __future__ import annotations

from bloop.db import statistics
from bloop.db.engine import Db
from bloop.retention.sizes import newest_event_id

EVENTS_MIN = 100_000


def stale_statistics(db: Db) -> list[str]:
    """Statements for `db.statistics.refresh`, one a table. Reads only."""
    return [] if newest_event_id(db) < EVENTS_MIN else statistics.propose(db)
