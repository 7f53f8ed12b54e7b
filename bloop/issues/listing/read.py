"""A page of the list within its scope, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.db.engine import Db
from bloop.db.walk import ROWS_MAX, PageKey
from bloop.issues import read as issues
from bloop.issues.listing.model import IssueFilter, Sort
from bloop.issues.listing.neighbours import page_before
from bloop.issues.listing.ranked import ranked
from bloop.issues.read import IssueRow


class ListPage(NamedTuple):
    """The rows of a page. `next` and `above` are where the pages below and above begin, None at the ends.

    `start` is how many issues stand above the first row, None where that was not counted. Not `is_complete`: some
    issues that could be here were not looked at (RANK-3). Not `has_all_found`: older events than those searched may
    match, too.
    """

    rows: list[IssueRow]
    next: PageKey | None = None
    above: PageKey | None = None
    start: int | None = 0
    is_complete: bool = True
    has_all_found: bool = True


NO_ROWS = ListPage([])


def list_page(
    db: Db,
    project_ids: Sequence[int],
    issue_filter: IssueFilter,
    sort: Sort,
    *,
    limit: int,
    before: PageKey | None = None,
) -> ListPage:
    """The page strictly behind `before`, highest sort value first. The filter has a scope."""
    assert 0 < limit <= ROWS_MAX
    if not _is_walked(issue_filter, sort):
        page = ranked(db, project_ids, issue_filter, sort, limit=limit, before=before)
        rows = {row.id: row for row in issues.by_ids(db, [key.id for key in page.keys])}
        in_order = [rows[key.id] for key in page.keys]
        return ListPage(in_order, page.next, page.above, page.start, page.is_complete, page.has_all_found)
    found = issues.list_issues(db, project_ids, issue_filter, sort=sort, limit=limit, before=before)
    if before is None or not found.rows:
        return ListPage(found.rows, found.next, has_all_found=found.is_complete)
    above = page_before(db, project_ids, issue_filter, sort=sort, first=_place(found.rows[0], sort), limit=limit)
    return ListPage(found.rows, found.next, above, None, has_all_found=found.is_complete)


def _is_walked(issue_filter: IssueFilter, sort: Sort) -> bool:
    """Whether an index has the order of the scope: when it is that of the whole life of issues."""
    scope = issue_filter.scope
    assert scope is not None
    if sort is Sort.LAST_SEEN:
        return scope.window.is_running and not scope.has_names
    return sort is Sort.FIRST_SEEN


def _place(issue: IssueRow, sort: Sort) -> PageKey:
    """Where an issue stands in a list that an index orders."""
    value = issue.last_seen_ms if sort is Sort.LAST_SEEN else issue.first_seen_ms
    return PageKey(value, issue.status, issue.id)
