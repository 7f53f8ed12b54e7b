"""The numbers at the top of the dashboard, all of them kept rather than counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from bloop.base.clock import DAY_MS, minute_of
from bloop.base.outcomes import Outcome
from bloop.db.rows import ids_json
from bloop.issues.read import status_counts
from bloop.ledger.read import outcomes_since

TOP_ROUTES = 10


class RouteCount(NamedTuple):
    route: str
    event_count: int


class Stats(NamedTuple):
    issues_total: int
    issues_open: int  # unresolved and regressed
    events_24h: int  # stored in the last 24 hours, to the minute
    top_routes: list[RouteCount]


_SELECT_TOP_ROUTES = """
SELECT r.route, sum(r.event_count) AS event_count
  FROM json_each(:project_ids) AS wanted
  JOIN route_counts AS r ON r.project_id = wanted.value
 GROUP BY r.route
 ORDER BY event_count DESC, r.route
 LIMIT :limit
"""


def stats(db: apsw.Connection, project_ids: Sequence[int], now_ms: int) -> Stats:
    counts = status_counts(db, project_ids)
    stored = outcomes_since(db, project_ids, minute_of(now_ms - DAY_MS)).get(Outcome.STORED, 0)
    return Stats(
        issues_total=sum(counts.values()),
        issues_open=counts.get("unresolved", 0) + counts.get("regressed", 0),
        events_24h=stored,
        top_routes=top_routes(db, project_ids),
    )


def top_routes(db: apsw.Connection, project_ids: Sequence[int]) -> list[RouteCount]:
    """The routes with the most events, at most TOP_ROUTES."""
    bindings = {"project_ids": ids_json(project_ids), "limit": TOP_ROUTES}
    return [RouteCount(*row) for row in db.execute(_SELECT_TOP_ROUTES, bindings)]
