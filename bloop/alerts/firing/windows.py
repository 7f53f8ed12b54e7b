"""Events by minute of receipt, which the windows of alert rules add up. Ignored and muted issues are left out.

Reads a range of the primary key (project_id, minute_ms, …) per project, so the cost follows the size of the window.
Ignored and muted issues come from issues_silent, fingerprints and routes from their indexes, once per statement.
"""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class WindowScope(NamedTuple):
    """Which events to count; None is any."""

    project_id: int | None
    fingerprint: str | None = None
    route: str | None = None
    environment: str | None = None
    source: str | None = None


class IssueShare(NamedTuple):
    """An issue's share of a count."""

    issue_id: int
    event_count: int


_COUNTED = """
  FROM projects AS p
 CROSS JOIN minute_counts AS m
 CROSS JOIN fingerprints AS f
 WHERE m.project_id = p.id AND f.id = m.fingerprint_id AND f.project_id = p.id
   AND m.minute_ms BETWEEN :first_ms AND :last_ms
   AND p.deleted_at_ms IS NULL AND (CAST(:project_id AS INTEGER) IS NULL OR p.id = :project_id)
   AND f.issue_id NOT IN (SELECT id FROM issues WHERE status IN ('ignored', 'muted'))
   AND (CAST(:environment AS TEXT) IS NULL OR m.environment = :environment)
   AND (CAST(:source AS TEXT) IS NULL OR m.source = :source)
   AND (CAST(:fingerprint AS TEXT) IS NULL OR f.issue_id IN (
        SELECT i.id FROM projects AS q CROSS JOIN issues AS i
         WHERE i.project_id = q.id AND i.fingerprint = :fingerprint))
   AND (CAST(:route AS TEXT) IS NULL OR f.issue_id IN (
        SELECT i.id FROM projects AS q CROSS JOIN issues AS i
         WHERE i.project_id = q.id AND i.route = :route))
"""
_SELECT_COUNTS = f"SELECT m.project_id, m.minute_ms, sum(m.event_count) {_COUNTED} GROUP BY m.project_id, m.minute_ms"
_SELECT_SHARES = f"""
SELECT f.issue_id, sum(m.event_count) AS event_count {_COUNTED}
 GROUP BY f.issue_id ORDER BY event_count DESC, f.issue_id
"""


def counts(db: Db, scope: WindowScope, first_ms: int, last_ms: int) -> dict[int, dict[int, int]]:
    """Project → start of the minute → events, for the minutes from `first_ms` to `last_ms`, both inclusive."""
    by_project: dict[int, dict[int, int]] = {}
    bindings = {**scope._asdict(), "first_ms": first_ms, "last_ms": last_ms}
    for project_id, minute_ms, event_count in db.execute(_SELECT_COUNTS, bindings):
        by_project.setdefault(project_id, {})[minute_ms] = event_count
    return by_project


def shares(db: Db, scope: WindowScope, first_ms: int, last_ms: int) -> list[IssueShare]:
    """The issues of the events in those minutes, those with most first."""
    bindings = {**scope._asdict(), "first_ms": first_ms, "last_ms": last_ms}
    return [IssueShare(*row) for row in db.execute(_SELECT_SHARES, bindings)]
