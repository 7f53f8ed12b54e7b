"""Counts that are kept rather than counted: events per hour, and the numbers at the top of the dashboard.

Hours ascend and start at whole hours UTC of receive time; hours without events are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from bloop.base.clock import DAY_MS, minute_of
from bloop.base.outcomes import Outcome
from bloop.db.engine import Db, ids_json
from bloop.issues.read import status_counts
from bloop.issues.status.model import OPEN
from bloop.ledger.read import outcomes_since

TOP_ROUTES = 10
ROUTES_COMPARED = 50  # of each project


class HourCount(NamedTuple):
    hour_ms: int
    event_count: int


class RouteCount(NamedTuple):
    route: str
    event_count: int


class Stats(NamedTuple):
    issues_total: int
    issues_open: int  # unresolved and regressed
    events_24h: int  # stored in the last 24 hours, to the minute
    top_routes: list[RouteCount]


# Served by the primary key (fingerprint_id, hour_ms): a row per hour, whatever releases events name.
_SELECT_OF_ISSUES = """
SELECT h.hour_ms, sum(h.event_count)
  FROM json_each(:issue_ids) AS wanted
  JOIN fingerprints AS f ON f.issue_id = wanted.value
  JOIN fingerprint_hours AS h ON h.fingerprint_id = f.id AND h.hour_ms >= :since_ms
 GROUP BY h.hour_ms
 ORDER BY h.hour_ms
"""
_SELECT_BY_ISSUE = """
SELECT f.issue_id, h.hour_ms, sum(h.event_count)
  FROM json_each(:issue_ids) AS wanted
  JOIN fingerprints AS f ON f.issue_id = wanted.value
  JOIN fingerprint_hours AS h ON h.fingerprint_id = f.id AND h.hour_ms >= :since_ms
 GROUP BY f.issue_id, h.hour_ms
 ORDER BY f.issue_id, h.hour_ms
"""
# Served by the primary key (project_id, hour_ms, source): a row per source, whatever releases events name.
_SELECT_OF_PROJECTS = """
SELECT h.hour_ms, sum(h.event_count)
  FROM json_each(:project_ids) AS wanted
  JOIN project_hours AS h ON h.project_id = wanted.value AND h.hour_ms >= :since_ms
 GROUP BY h.hour_ms
 ORDER BY h.hour_ms
"""
# Clients invent routes, so only the first of each project are compared; served by route_counts_by_events.
_SELECT_ROUTES = """
SELECT route
  FROM route_counts INDEXED BY route_counts_by_events
 WHERE project_id = :project_id
 ORDER BY event_count DESC, route DESC
 LIMIT :limit
"""
_SELECT_TOP_ROUTES = """
SELECT r.route, sum(r.event_count) AS event_count
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN json_each(:names) AS n
 CROSS JOIN route_counts AS r
 WHERE r.project_id = wanted.value AND r.route = n.value
 GROUP BY r.route
 ORDER BY event_count DESC, r.route
 LIMIT :limit
"""


def issue_trend(db: Db, issue_ids: Sequence[int], since_ms: int) -> list[HourCount]:
    """Events of these issues together, in the hours that start at `since_ms` or later."""
    bindings = {"issue_ids": ids_json(issue_ids), "since_ms": since_ms}
    return [HourCount(*row) for row in db.execute(_SELECT_OF_ISSUES, bindings)]


def project_trend(db: Db, project_ids: Sequence[int], since_ms: int) -> list[HourCount]:
    """Events of these projects together, in the hours that start at `since_ms` or later."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms}
    return [HourCount(*row) for row in db.execute(_SELECT_OF_PROJECTS, bindings)]


def sparklines(db: Db, issue_ids: Sequence[int], since_ms: int) -> dict[int, list[HourCount]]:
    """The trend of each issue by itself. Every id given is a key."""
    found: dict[int, list[HourCount]] = {issue_id: [] for issue_id in issue_ids}
    bindings = {"issue_ids": ids_json(issue_ids), "since_ms": since_ms}
    for issue_id, hour_ms, event_count in db.execute(_SELECT_BY_ISSUE, bindings):
        found[issue_id].append(HourCount(hour_ms, event_count))
    return found


def stats(db: Db, project_ids: Sequence[int], now_ms: int) -> Stats:
    counts = status_counts(db, project_ids)
    stored = outcomes_since(db, project_ids, minute_of(now_ms - DAY_MS)).get(Outcome.STORED, 0)
    return Stats(
        issues_total=sum(counts.values()),
        issues_open=sum(counts.get(status, 0) for status in OPEN),
        events_24h=stored,
        top_routes=top_routes(db, project_ids),
    )


def top_routes(db: Db, project_ids: Sequence[int]) -> list[RouteCount]:
    """The routes with the most events, at most TOP_ROUTES.

    A route of several projects is found if it is among the first ROUTES_COMPARED of one of them.
    """
    names = {
        row[0]
        for project_id in project_ids
        for row in db.execute(_SELECT_ROUTES, {"project_id": project_id, "limit": ROUTES_COMPARED})
    }
    bindings = {
        "project_ids": ids_json(project_ids),
        "names": orjson.dumps(sorted(names)).decode(),
        "limit": TOP_ROUTES,
    }
    return [RouteCount(*row) for row in db.execute(_SELECT_TOP_ROUTES, bindings)]
