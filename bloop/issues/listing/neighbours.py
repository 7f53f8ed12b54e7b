"""Reads that only the pages need: the way back in a list, and what the filter bar offers."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import apsw

from bloop.db.rows import ids_json
from bloop.db.walk import PageKey
from bloop.issues import read as issues

SOURCES_MAX = 50

_COLUMNS = {
    issues.Sort.LAST_SEEN: "i.last_seen_ms",
    issues.Sort.FIRST_SEEN: "i.first_seen_ms",
    issues.Sort.EVENTS: "i.event_count",
}

# Served by the primary key (project_id, hour_ms, …).
_SELECT_SOURCES = """
SELECT h.source
  FROM json_each(:project_ids) AS wanted
  JOIN project_hourly_counts AS h ON h.project_id = wanted.value AND h.hour_ms >= :since_ms
 GROUP BY h.source
 ORDER BY sum(h.event_count) DESC, h.source
 LIMIT :limit
"""

_SELECT_OPEN_COUNTS = """
SELECT project_id, sum(issue_count)
  FROM status_counts
 WHERE project_id IN (SELECT value FROM json_each(:project_ids)) AND status IN ('unresolved', 'regressed')
 GROUP BY project_id
"""


def page_before(
    db: apsw.Connection,
    project_ids: Sequence[int],
    wanted: issues.IssueFilter,
    *,
    sort: issues.Sort,
    first: PageKey,
    limit: int,
) -> PageKey | None:
    """Where the page that ends just above `first` begins, to give to `list_issues` as `before`; None: at the top."""
    way = issues.plan(db, project_ids, wanted, sort)
    bindings = way.bindings | first._asdict() | {"limit": limit + 1}
    arms = [_ascending(db, way, sort, bindings | {"arm": arm}) for arm in way.arms]
    above = list(islice(heapq.merge(*arms), limit + 1))
    return above[limit] if len(above) > limit else None


def list_sources(db: apsw.Connection, project_ids: Sequence[int], since_ms: int) -> list[str]:
    """Sources seen in the hours that start at `since_ms` or later, most events first."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms, "limit": SOURCES_MAX}
    return [row[0] for row in db.execute(_SELECT_SOURCES, bindings)]


def open_counts(db: apsw.Connection, project_ids: Sequence[int]) -> dict[int, int]:
    """Open issues per project; projects that never had one are missing."""
    return dict(db.execute(_SELECT_OPEN_COUNTS, {"project_ids": ids_json(project_ids)}))


def _ascending(db: apsw.Connection, way: issues.Plan, sort: issues.Sort, bindings: dict[str, Any]) -> Iterator[PageKey]:
    """One arm's keys above a place, the walk read the other way: first the rest of its ties, then what lies beyond."""
    column = _COLUMNS[sort]
    ties = f"{column} = :value AND i.status = :tie AND i.id > :id"
    rest = f"({column}, i.status) > (:value, :tie)"
    for bound in (ties, rest):
        conditions = " AND ".join([way.walk.arm, *way.filters, bound])
        order = f"ORDER BY {column}, i.status, i.id LIMIT :limit"
        for row in list(db.execute(f"{way.walk.select} WHERE {conditions} {order}", bindings)):
            yield PageKey(*row)
