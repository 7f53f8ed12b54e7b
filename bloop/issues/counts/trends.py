"""Events per hour, ascending; hours without events are left out. Hours start at whole hours UTC of receive time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from bloop.db.rows import ids_json


class HourCount(NamedTuple):
    hour_ms: int
    event_count: int


# Served by the primary key (fingerprint_id, hour_ms, …).
_SELECT_OF_ISSUES = """
SELECT h.hour_ms, sum(h.event_count)
  FROM json_each(:issue_ids) AS wanted
  JOIN fingerprints AS f ON f.issue_id = wanted.value
  JOIN hourly_counts AS h ON h.fingerprint_id = f.id AND h.hour_ms >= :since_ms
 GROUP BY h.hour_ms
 ORDER BY h.hour_ms
"""
_SELECT_BY_ISSUE = """
SELECT f.issue_id, h.hour_ms, sum(h.event_count)
  FROM json_each(:issue_ids) AS wanted
  JOIN fingerprints AS f ON f.issue_id = wanted.value
  JOIN hourly_counts AS h ON h.fingerprint_id = f.id AND h.hour_ms >= :since_ms
 GROUP BY f.issue_id, h.hour_ms
 ORDER BY f.issue_id, h.hour_ms
"""
# Served by the primary key (project_id, hour_ms, …).
_SELECT_OF_PROJECTS = """
SELECT h.hour_ms, sum(h.event_count)
  FROM json_each(:project_ids) AS wanted
  JOIN project_hourly_counts AS h ON h.project_id = wanted.value AND h.hour_ms >= :since_ms
 GROUP BY h.hour_ms
 ORDER BY h.hour_ms
"""


def issue_trend(db: apsw.Connection, issue_ids: Sequence[int], since_ms: int) -> list[HourCount]:
    """Events of these issues together, in the hours that start at `since_ms` or later."""
    bindings = {"issue_ids": ids_json(issue_ids), "since_ms": since_ms}
    return [HourCount(*row) for row in db.execute(_SELECT_OF_ISSUES, bindings)]


def project_trend(db: apsw.Connection, project_ids: Sequence[int], since_ms: int) -> list[HourCount]:
    """Events of these projects together, in the hours that start at `since_ms` or later."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms}
    return [HourCount(*row) for row in db.execute(_SELECT_OF_PROJECTS, bindings)]


def sparklines(db: apsw.Connection, issue_ids: Sequence[int], since_ms: int) -> dict[int, list[HourCount]]:
    """The trend of each issue by itself. Every id given is a key."""
    found: dict[int, list[HourCount]] = {issue_id: [] for issue_id in issue_ids}
    bindings = {"issue_ids": ids_json(issue_ids), "since_ms": since_ms}
    for issue_id, hour_ms, event_count in db.execute(_SELECT_BY_ISSUE, bindings):
        found[issue_id].append(HourCount(hour_ms, event_count))
    return found
