"""How many issues each tab of the list holds, under the same scope and filters (TABS-1, TABS-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bloop.db.engine import Db, ids_json
from bloop.issues import read as issues
from bloop.issues.counts.membership import NearScope
from bloop.issues.listing.model import IssueFilter, Sort, Tab
from bloop.issues.listing.tabs import (
    CONDITIONS,
    COUNTED_MAX,
    SEARCHED_MAX,
    SELECT_FEW,
    TabCount,
    bounded_count,
    ids_of_tab,
)
from bloop.issues.search.conditions import CANDIDATES_MAX

FEW_MAX = 1000  # of a tab with an index of its own, where each has to be asked for more than its status

# Where issues are counted from; conditions on `i` follow.
_FROM_CANDIDATES = """
  FROM json_each(:candidate_ids) AS few CROSS JOIN issues AS i
 WHERE i.id = few.value AND i.project_id IN (SELECT value FROM json_each(:project_ids))
"""
_FROM_TAB = {
    tab: f"""
  FROM ({select}) AS few CROSS JOIN issues AS i
 WHERE i.id = few.id AND i.project_id IN (SELECT value FROM json_each(:project_ids))
"""  # noqa: S608 - constant fragments, as in the statements below
    for tab, select in SELECT_FEW.items()
}
_FROM_SCOPE = """
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN issues AS i INDEXED BY issues_by_last_seen
 WHERE i.project_id = wanted.value
"""
# Of a window that is running the last seen are nearest, of one that is over those last seen when it began.
_SEARCHED = {
    is_running: f"""
SELECT r.id
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN issues AS r INDEXED BY issues_by_last_seen
 WHERE r.project_id = wanted.value AND r.last_seen_ms >= :scope_from_ms
 ORDER BY r.last_seen_ms {"DESC" if is_running else "ASC"}
 LIMIT :searched_max
"""  # noqa: S608
    for is_running in (True, False)
}
_FROM_SEARCHED = {
    is_running: f"FROM ({select}) AS recent CROSS JOIN issues AS i WHERE i.id = recent.id"
    for is_running, select in _SEARCHED.items()
}
_COUNT_SEARCHED = {
    is_running: f"SELECT count(*) FROM ({select}) AS recent"  # noqa: S608
    for is_running, select in _SEARCHED.items()
}
_COUNT_FEW = {
    tab: f"SELECT count(*) FROM ({select}) AS few"  # noqa: S608
    for tab, select in SELECT_FEW.items()
}


def tab_counts(
    db: Db, project_ids: Sequence[int], issue_filter: IssueFilter, tabs: Sequence[Tab]
) -> dict[Tab, TabCount]:
    """The number of every one of `tabs`; the filter's own tab does not matter. The filter has a scope."""
    everything = issues.looked_up(db, project_ids, replace(issue_filter, tab=Tab.ALL))
    way = issues.plan(db, project_ids, everything, Sort.EVENTS)
    if "candidate_ids" in way.bindings:
        counts = _sums(db, _FROM_CANDIDATES, way.filters, way.bindings, tabs)
        return {tab: TabCount(count.number, is_more=not way.is_complete) for tab, count in counts.items()}
    filters, bindings = issues.conditions(everything, project_ids)
    is_plain = _is_plain(everything)
    if is_plain and everything.near is not None and everything.near.passed is not None:
        return {tab: _of_near(db, project_ids, everything, everything.near, tab) for tab in tabs}
    few_max = CANDIDATES_MAX if is_plain else FEW_MAX
    bindings |= {"project_ids": ids_json(project_ids), "limit": COUNTED_MAX + 1, "few_max": few_max + 1}
    few = [tab for tab in tabs if tab in SELECT_FEW]
    many = [tab for tab in tabs if tab not in SELECT_FEW]
    counts = {tab: _count_few(db, tab, filters, bindings) for tab in few}
    return counts | (_count_many(db, everything, filters, bindings, many) if many else {})


def _count_few(db: Db, tab: Tab, filters: Sequence[str], bindings: dict[str, Any]) -> TabCount:
    """A tab with an index of its own, up to as many as may be looked at."""
    counted = _sums(db, _FROM_TAB[tab], filters, bindings, [tab])[tab]
    is_cut = int(db.execute(_COUNT_FEW[tab], bindings).get) == bindings["few_max"]
    return TabCount(counted.number, is_cut)


def _count_many(
    db: Db, everything: IssueFilter, filters: Sequence[str], bindings: dict[str, Any], tabs: Sequence[Tab]
) -> dict[Tab, TabCount]:
    scope = everything.scope
    assert scope is not None
    is_running = scope.window.is_running
    if _is_plain(everything) and not scope.has_names:
        return {tab: _bounded(db, filters, bindings, tab) for tab in tabs}
    bindings |= {"searched_max": SEARCHED_MAX}
    counts = _sums(db, _FROM_SEARCHED[is_running], filters, bindings, tabs)
    looked_at = int(db.execute(_COUNT_SEARCHED[is_running], bindings | {"searched_max": SEARCHED_MAX + 1}).get)
    return {tab: TabCount(count.number, looked_at > SEARCHED_MAX) for tab, count in counts.items()}


def _is_plain(everything: IssueFilter) -> bool:
    """Whether it asks for a scope that is running, and for nothing else."""
    scope = everything.scope
    bare = replace(everything, now_ms=0, me="", new_in="", near=None)
    return scope is not None and scope.window.is_running and bare == IssueFilter(scope=scope)


def _of_near(db: Db, project_ids: Sequence[int], everything: IssueFilter, near: NearScope, tab: Tab) -> TabCount:
    """A tab of a scope with names, by the issues that were passed when it was walked."""
    assert near.passed is not None
    found = near.are_open if tab in (Tab.OPEN, Tab.MINE) else near.passed
    is_complete = near.is_complete
    if tab in SELECT_FEW:
        few = ids_of_tab(db, project_ids, replace(everything, tab=tab), COUNTED_MAX + 1)
        found = found.intersection(few)
        is_complete = is_complete and len(few) <= COUNTED_MAX
    elif tab not in (Tab.OPEN, Tab.ALL):
        few_ids = ids_json([*found][:CANDIDATES_MAX])
        sums = _sums(db, _FROM_CANDIDATES, [], {"candidate_ids": few_ids, "project_ids": ids_json(project_ids)}, [tab])
        return TabCount(sums[tab].number, len(found) > CANDIDATES_MAX or not near.is_complete)
    counted = _of(len(found))
    return TabCount(counted.number, counted.is_more or not is_complete)


def _bounded(db: Db, filters: Sequence[str], bindings: dict[str, Any], tab: Tab) -> TabCount:
    """A tab whose condition is in the index of the scope."""
    conditions = [*filters, *([CONDITIONS[tab]] if tab in CONDITIONS else [])]
    return _of(db.execute(bounded_count(_where(_FROM_SCOPE, conditions)), bindings).get)


def _sums(
    db: Db, source: str, filters: Sequence[str], bindings: dict[str, Any], tabs: Sequence[Tab]
) -> dict[Tab, TabCount]:
    """All tabs at once, by looking at every issue of the source."""
    sums = ", ".join(f"count(*) FILTER (WHERE {CONDITIONS.get(tab, 'i.id > 0')})" for tab in tabs)
    row = db.execute(" ".join(("SELECT", sums, _where(source, filters))), bindings).fetchone()
    assert row is not None, "a sum has a row"
    return {tab: TabCount(int(number)) for tab, number in zip(tabs, row, strict=True)}


def _of(number: Any) -> TabCount:
    return TabCount(min(int(number), COUNTED_MAX), is_more=int(number) > COUNTED_MAX)


def _where(source: str, filters: Sequence[str]) -> str:
    """The SQL text: constant fragments only, values are always bound."""
    return " AND ".join([source, *filters])
