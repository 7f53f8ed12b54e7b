"""Decides when the planner's statistics are worth refreshing.

A small database is skipped: the planner's defaults suit it, and statistics from ten rows would stay in use until there
are a hundred.
"""

from __future__ import annotations

from bloop.db import statistics
from bloop.db.engine import Db
from bloop.retention.sizes import newest_event_id

EVENTS_MIN = 100_000


def stale_statistics(db: Db) -> list[str]:
    """Statements for `db.statistics.refresh`, one per table. Only reads."""
    return [] if newest_event_id(db) < EVENTS_MIN else statistics.propose(db)
