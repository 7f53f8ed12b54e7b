"""Where an issue stands in the list that it was opened from."""

from __future__ import annotations

from bloop.auth.principal import Principal
from bloop.base.errors import InvalidParameter, NotFound, QueryTimeout
from bloop.db.engine import Db
from bloop.issues.listing.page_read import find_page
from bloop.issues.listing.state import PAGE_ROWS, IssueView
from bloop.projects.read import visible_projects


def next_in_list(db: Db, principal: Principal, view: IssueView, issue_id: int, now_ms: int) -> str:
    """The short id of the issue after this one on its page of the list, or of the first one of the next page.

    Ask before the issue is changed: afterwards it may be in the list no more. Empty: it is the last, or not on this
    page, or the list cannot be read.
    """
    try:
        project_ids = visible_projects(db, principal, view.project or None)
        page = find_page(db, project_ids, view, principal.user_id, now_ms, rows_max=PAGE_ROWS + 1)
    except (InvalidParameter, NotFound, QueryTimeout):
        return ""
    ids = [row.id for row in page.rows]
    place = ids.index(issue_id) + 1 if issue_id in ids else len(ids)
    return page.rows[place].short_id if place < len(ids) else ""
