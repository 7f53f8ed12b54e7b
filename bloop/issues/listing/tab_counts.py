"""How many issues each tab of the list holds, under the same scope and filters (TABS-1, TABS-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bloop.db.engine import Db, ids_json
from bloop.issues import read as issues
from bloop.issues.listing.model import IssueFilter, Sort, Tab
from bloop.issues.listing.tabs import CONDITIONS, COUNTED_MAX, SEARCHED_MAX, TabCount, few_of_tab
from bloop.issues.search.conditions import CANDIDATES_MAX

_FEW = (
    "FROM json_each(:candidate_ids) AS few CROSS JOIN issues AS i WHERE i.id = few.value"
    " AND i.project_id IN (SELECT value FROM json_each(:project_ids))"
)
_RECENT = """
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN issues AS i INDEXED BY issues_by_last_seen
 WHERE i.project_id = wanted.value AND i.last_seen_ms >= :scope_from_ms
"""
# The last seen of each project, which the conditions are then asked of.
_SEARCHED = """
  FROM (SELECT r.id FROM json_each(:project_ids) AS wanted
         CROSS JOIN issues AS r INDEXED BY issues_by_last_seen
         WHERE r.project_id = wanted.value AND r.last_seen_ms >= :scope_from_ms
         ORDER BY r.last_seen_ms DESC
         LIMIT :searched_max) AS recent
 CROSS JOIN issues AS i
 WHERE i.id = recent.id
"""
_COUNT_RECENT = """
SELECT count(*) FROM (SELECT 1 FROM json_each(:project_ids) AS wanted
 CROSS JOIN issues AS r INDEXED BY issues_by_last_seen
 WHERE r.project_id = wanted.value AND r.last_seen_ms >= :scope_from_ms
 LIMIT :searched_max) AS recent
"""
# Served by aggregates_by_last_seen, which has all of it.
_COUNT_BY_NAME = """
SELECT count(*) FROM (SELECT DISTINCT a.issue_id
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN aggregates AS a INDEXED BY aggregates_by_last_seen
 WHERE a.project_id = wanted.value AND a.last_seen_ms >= :scope_from_ms
   AND (:scope_release = '' OR a.release = :scope_release)
   AND (:scope_environment = '' OR a.environment = :scope_environment)
   AND (:is_open = 0 OR a.status IN ('unresolved', 'regressed'))
 LIMIT :limit) AS counted
"""


def tab_counts(
    db: Db, project_ids: Sequence[int], issue_filter: IssueFilter, tabs: Sequence[Tab]
) -> dict[Tab, TabCount]:
    """The number of every one of `tabs`; the filter's own tab does not matter. The filter has a scope."""
    everything = replace(issue_filter, tab=Tab.ALL)
    way = issues.plan(db, project_ids, everything, Sort.EVENTS)
    if "candidate_ids" in way.bindings:
        return _count_few(db, way, tabs)
    return {tab: _count(db, project_ids, replace(issue_filter, tab=tab)) for tab in tabs}


def _count_few(db: Db, way: issues.Plan, tabs: Sequence[Tab]) -> dict[Tab, TabCount]:
    """All at once: few issues are looked at."""
    sums = ", ".join(f"count(*) FILTER (WHERE {CONDITIONS.get(tab, 'i.id > 0')})" for tab in tabs)
    row = db.execute(f"SELECT {sums} {_where(_FEW, way.filters)}", way.bindings).fetchone()
    assert row is not None, "a sum has a row"
    return {tab: TabCount(int(number)) for tab, number in zip(tabs, row, strict=True)}


def _count(db: Db, project_ids: Sequence[int], issue_filter: IssueFilter) -> TabCount:
    filters, bindings = issues.conditions(issue_filter, project_ids)
    bindings |= {"project_ids": ids_json(project_ids), "limit": COUNTED_MAX + 1, "searched_max": SEARCHED_MAX}
    few = few_of_tab(db, project_ids, issue_filter, CANDIDATES_MAX)
    if few is not None:
        return _bounded(db, _where(_FEW, filters), bindings | {"candidate_ids": ids_json(few)})
    has_names = issue_filter.scope is not None and issue_filter.scope.has_names
    if _is_plain(issue_filter) and not has_names:
        return _bounded(db, _where(_RECENT, filters), bindings)
    if _is_plain(issue_filter) and issue_filter.tab in (Tab.OPEN, Tab.ALL):
        is_open = int(issue_filter.tab is Tab.OPEN)
        return _of(db.execute(_COUNT_BY_NAME, bindings | {"is_open": is_open}).get)
    counted = _bounded(db, _where(_SEARCHED, filters), bindings)
    if counted.is_more:
        return counted
    looked_at = int(db.execute(_COUNT_RECENT, bindings | {"searched_max": SEARCHED_MAX + 1}).get)
    return counted._replace(is_more=looked_at > SEARCHED_MAX)


def _is_plain(issue_filter: IssueFilter) -> bool:
    """Whether it asks for nothing beside a tab and a scope that is running."""
    scope = issue_filter.scope
    assert scope is not None
    bare = replace(issue_filter, now_ms=0, me="", new_in="")
    return scope.window.is_running and bare == IssueFilter(issue_filter.tab, scope)


def _bounded(db: Db, what: str, bindings: dict[str, Any]) -> TabCount:
    statement = f"SELECT count(*) FROM (SELECT 1 {what} LIMIT :limit) AS counted"  # noqa: S608 - constant fragments
    return _of(db.execute(statement, bindings).get)


def _of(number: object) -> TabCount:
    counted = int(str(number))
    return TabCount(min(counted, COUNTED_MAX), is_more=counted > COUNTED_MAX)


def _where(source: str, filters: Sequence[str]) -> str:
    """The SQL text: constant fragments only, values are always bound."""
    return " AND ".join([source, *filters])
