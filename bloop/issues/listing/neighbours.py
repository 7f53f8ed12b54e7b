"""The way back in a list of issues."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from bloop.db.engine import Db
from bloop.db.walk import PageKey
from bloop.issues import read as issues

_COLUMNS = {
    issues.Sort.LAST_SEEN: "i.last_seen_ms",
    issues.Sort.FIRST_SEEN: "i.first_seen_ms",
    issues.Sort.EVENTS: "i.event_count",
}


def page_before(
    db: Db,
    project_ids: Sequence[int],
    issue_filter: issues.IssueFilter,
    *,
    sort: issues.Sort,
    first: PageKey,
    limit: int,
) -> PageKey | None:
    """Where the page that ends just above `first` begins, to give to `list_issues` as `before`; None: at the top."""
    way = issues.plan(db, project_ids, issue_filter, sort)
    bindings = way.bindings | first._asdict() | {"limit": limit + 1}
    arms = [_ascending(db, way, sort, bindings | {"arm": arm}) for arm in way.arms]
    above = list(islice(heapq.merge(*arms), limit + 1))
    return above[limit] if len(above) > limit else None


def _ascending(db: Db, way: issues.Plan, sort: issues.Sort, bindings: dict[str, Any]) -> Iterator[PageKey]:
    """One arm's keys above a place, the walk read the other way: first the rest of its ties, then what lies beyond."""
    column = _COLUMNS[sort]
    ties = f"{column} = :value AND i.status = :tie AND i.id > :id"
    rest = f"({column}, i.status) > (:value, :tie)"
    for bound in (ties, rest):
        conditions = " AND ".join([way.walk.arm, *way.filters, bound])
        order = f"ORDER BY {column}, i.status, i.id LIMIT :limit"
        for row in list(db.execute(f"{way.walk.select} WHERE {conditions} {order}", bindings)):
            yield PageKey(*row)
