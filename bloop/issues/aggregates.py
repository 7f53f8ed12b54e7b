"""Counts per (issue, release, environment): the rows that `/v1/errors` lists.

Lists walk aggregates_by_last_seen, aggregates_by_first_seen or aggregates_by_events from the end (db/walk.py). What
filters ask for is in those indexes; source and route belong to the issue, and their issues are found first, by
issues_by_source and issues_by_route. A filter that matches nothing walks one index once: 100,000 rows take 10 to 20 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from bloop.db.engine import Db, ids_json
from bloop.db.walk import ROWS_MAX, PageKey, Walk, keys
from bloop.issues.events.search import resolve
from bloop.issues.search import conditions as search
from bloop.issues.search.terms import NO_QUERY, Query
from bloop.issues.status.model import Status
from bloop.releases.read import list_releases

ROWS_PER_ISSUE_MAX = 1000  # shown of one issue: the most recent releases
ROWS_READ_MAX = 3000  # to choose them from


class AggregateSort(StrEnum):
    LAST_SEEN = "last_seen"
    TOTAL_COUNT = "total_count"
    FIRST_SEEN = "first_seen"


@dataclass(frozen=True, slots=True)
class AggregateFilter:
    """None does not filter. `since_ms` and `until_ms` bound last seen, both inclusive."""

    status: str | None = None  # as stored, but `unresolved` stands for regressed as well
    release: str | None = None
    environment: str | None = None
    source: str | None = None
    route: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    query: Query = NO_QUERY  # a search over the issues; what it says of release and environment is asked of the row
    now_ms: int = 0  # what the times of `query` are counted back from


class AggregateRow(NamedTuple):
    id: int
    issue_id: int
    project_id: int
    project_public_id: str
    fingerprint: str
    short_id: str
    release: str
    environment: str
    status: str
    event_count: int
    first_seen_ms: int
    last_seen_ms: int
    error_type: str
    message: str
    source: str
    route: str | None
    screen: str | None


class AggregatePage(NamedTuple):
    rows: list[AggregateRow]
    next: PageKey | None
    is_complete: bool = True  # False: further issues may have events that the search is about


_SELECTS = {
    AggregateSort.LAST_SEEN: (
        "SELECT a.last_seen_ms, a.status, a.id FROM aggregates AS a INDEXED BY aggregates_by_last_seen"
    ),
    AggregateSort.FIRST_SEEN: (
        "SELECT a.first_seen_ms, a.status, a.id FROM aggregates AS a INDEXED BY aggregates_by_first_seen"
    ),
    AggregateSort.TOTAL_COUNT: (
        "SELECT a.event_count, a.status, a.id FROM aggregates AS a INDEXED BY aggregates_by_events"
    ),
}
_TIES = {
    AggregateSort.LAST_SEEN: "a.last_seen_ms = :value AND a.status = :tie AND a.id < :id",
    AggregateSort.FIRST_SEEN: "a.first_seen_ms = :value AND a.status = :tie AND a.id < :id",
    AggregateSort.TOTAL_COUNT: "a.event_count = :value AND a.status = :tie AND a.id < :id",
}
_RESTS = {
    AggregateSort.LAST_SEEN: "(a.last_seen_ms, a.status) < (:value, :tie)",
    AggregateSort.FIRST_SEEN: "(a.first_seen_ms, a.status) < (:value, :tie)",
    AggregateSort.TOTAL_COUNT: "(a.event_count, a.status) < (:value, :tie)",
}
_ORDERS = {
    AggregateSort.LAST_SEEN: "ORDER BY a.last_seen_ms DESC, a.status DESC, a.id DESC",
    AggregateSort.FIRST_SEEN: "ORDER BY a.first_seen_ms DESC, a.status DESC, a.id DESC",
    AggregateSort.TOTAL_COUNT: "ORDER BY a.event_count DESC, a.status DESC, a.id DESC",
}
_BY_PROJECT = "a.project_id = :arm"
_FEW = "FROM json_each(:candidate_ids) AS few CROSS JOIN aggregates AS a"
_FEW_BY_PROJECT = f"a.issue_id = few.value AND {_BY_PROJECT}"

_OPEN = "a.status IN ('unresolved', 'regressed')"
_BY_STATUS = "a.status = :status"
_BY_RELEASE = "a.release = :release"
_BY_ENVIRONMENT = "a.environment = :environment"
_BY_SOURCE = "a.issue_id IN (SELECT i.id FROM issues AS i WHERE i.project_id = :arm AND i.source = :source)"
_BY_ROUTE = "a.issue_id IN (SELECT i.id FROM issues AS i WHERE i.project_id = :arm AND i.route = :route)"
_SINCE = "a.last_seen_ms >= :since_ms"
_UNTIL = "a.last_seen_ms <= :until_ms"

_COLUMNS = """
SELECT a.id, a.issue_id, a.project_id, p.public_id, i.fingerprint, p.short_prefix || '-' || i.short_number,
       a.release, a.environment, i.status, a.event_count, a.first_seen_ms, a.last_seen_ms,
       i.error_type, i.message, i.source, i.route, i.screen
"""
# CROSS JOIN keeps the order: an index that came later and has no statistics yet made it begin with all issues, 100 ms.
_SELECT_BY_IDS = f"""{_COLUMNS}
  FROM json_each(:ids) AS wanted
 CROSS JOIN aggregates AS a
 CROSS JOIN issues AS i
 CROSS JOIN projects AS p
 WHERE a.id = wanted.value AND i.id = a.issue_id AND p.id = i.project_id
"""
# Served by aggregates_by_issue (issue_id, release, environment).
_SELECT_IDS_OF_ISSUES = """
SELECT a.id FROM json_each(:issue_ids) AS wanted JOIN aggregates AS a ON a.issue_id = wanted.value LIMIT :rows_max
"""
_SELECT_IDS_OF_RELEASES = """
SELECT a.id
  FROM json_each(:issue_ids) AS wanted
 CROSS JOIN json_each(:names) AS n
 CROSS JOIN aggregates AS a
 WHERE a.issue_id = wanted.value AND a.release = n.value
 LIMIT :rows_max
"""
_SELECT_PROJECT_IDS = "SELECT DISTINCT project_id FROM issues WHERE id IN (SELECT value FROM json_each(:issue_ids))"
_SELECT_LATEST = f"""{_COLUMNS}
  FROM json_each(:ids) AS wanted
 CROSS JOIN aggregates AS a
 CROSS JOIN issues AS i
 CROSS JOIN projects AS p
 WHERE a.id = wanted.value AND i.id = a.issue_id AND p.id = i.project_id
 ORDER BY a.last_seen_ms DESC, a.id DESC
 LIMIT :limit
"""


def list_aggregates(
    db: Db,
    project_ids: Sequence[int],
    aggregate_filter: AggregateFilter,
    *,
    sort: AggregateSort = AggregateSort.LAST_SEEN,
    limit: int,
    before: PageKey | None = None,
    skip: int = 0,
) -> AggregatePage:
    """One page, highest sort value first. Continue with `before=page.next`."""
    assert 0 < limit <= ROWS_MAX
    few, is_complete = _few(db, project_ids, aggregate_filter)
    filters, bindings = _conditions(aggregate_filter)
    asked = search.aggregate_conditions(
        aggregate_filter.query, aggregate_filter.now_ms, by_words=few is not None and few.by_words
    )
    filters, bindings = filters + asked.fragments, bindings | asked.bindings
    select, arm = _SELECTS[sort], _BY_PROJECT
    if few is not None:
        select, arm = f"{select.partition(' FROM ')[0]} {_FEW}", _FEW_BY_PROJECT
        bindings["candidate_ids"] = ids_json(few.ids)
    walk = Walk(
        select=select,
        arm=arm,
        ties=_TIES[sort],
        rest=_RESTS[sort],
        order=_ORDERS[sort],
    )
    found = keys(db, walk, project_ids, filters=filters, bindings=bindings, before=before, skip=skip, limit=limit + 1)
    page = found[:limit]
    rows = {row[0]: AggregateRow(*row) for row in db.execute(_SELECT_BY_IDS, {"ids": ids_json([k.id for k in page])})}
    return AggregatePage([rows[key.id] for key in page], page[-1] if len(found) > limit else None, is_complete)


def of_issues(db: Db, issue_ids: Sequence[int]) -> list[AggregateRow]:
    """The aggregates of these issues, last seen first, at most ROWS_PER_ISSUE_MAX.

    Of issues with more than ROWS_READ_MAX they are those of the releases that the project had last.
    """
    bindings = {"issue_ids": ids_json(issue_ids)}
    ids = [row[0] for row in db.execute(_SELECT_IDS_OF_ISSUES, bindings | {"rows_max": ROWS_READ_MAX + 1})]
    if len(ids) > ROWS_READ_MAX:
        projects = [row[0] for row in db.execute(_SELECT_PROJECT_IDS, bindings)]
        names = orjson.dumps(list_releases(db, projects)).decode()
        wanted = bindings | {"names": names, "rows_max": ROWS_READ_MAX}
        ids = [row[0] for row in db.execute(_SELECT_IDS_OF_RELEASES, wanted)] or ids
    latest = db.execute(_SELECT_LATEST, {"ids": ids_json(ids), "limit": ROWS_PER_ISSUE_MAX})
    return [AggregateRow(*row) for row in latest]


def _few(
    db: Db, project_ids: Sequence[int], aggregate_filter: AggregateFilter
) -> tuple[search.Candidates | None, bool]:
    """As for the list of issues (issues/read.py)."""
    query = aggregate_filter.query
    if not query.names_events:
        return search.candidates(db, project_ids, _hints(aggregate_filter)), True
    query = query.in_scope(aggregate_filter.environment, aggregate_filter.release)
    found = resolve(db, project_ids, query, None, aggregate_filter.now_ms)
    return search.Candidates(found.issue_ids, by_words=False), found.is_complete


def _hints(aggregate_filter: AggregateFilter) -> search.Hints:
    """The hints of the search, and of the plain filters where the search has none."""
    hints = search.hints(aggregate_filter.query)
    release, environment, route = aggregate_filter.release, aggregate_filter.environment, aggregate_filter.route
    return hints._replace(
        releases=hints.releases or ((release,) if release is not None else ()),
        environments=hints.environments or ((environment,) if environment is not None else ()),
        routes=(route,) if route is not None else (),
    )


def _conditions(aggregate_filter: AggregateFilter) -> tuple[list[str], dict[str, Any]]:
    chosen = [
        (_BY_RELEASE, aggregate_filter.release is not None),
        (_OPEN, aggregate_filter.status == Status.UNRESOLVED),
        (_BY_STATUS, aggregate_filter.status not in (None, Status.UNRESOLVED)),
        (_BY_ENVIRONMENT, aggregate_filter.environment is not None),
        (_SINCE, aggregate_filter.since_ms is not None),
        (_UNTIL, aggregate_filter.until_ms is not None),
        (_BY_SOURCE, aggregate_filter.source is not None),
        (_BY_ROUTE, aggregate_filter.route is not None),
    ]
    bindings = {
        "status": aggregate_filter.status,
        "release": aggregate_filter.release,
        "environment": aggregate_filter.environment,
        "source": aggregate_filter.source,
        "route": aggregate_filter.route,
        "since_ms": aggregate_filter.since_ms,
        "until_ms": aggregate_filter.until_ms,
    }
    return [fragment for fragment, applies in chosen if applies], bindings
