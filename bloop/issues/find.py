"""The issue that a request names, among those the caller may see."""

from __future__ import annotations

from bloop.auth.principal import Principal
from bloop.base.errors import NotFound
from bloop.db.engine import Db
from bloop.issues.read import IssueRow, get_issue
from bloop.projects.read import visible_projects


def find_issue(db: Db, principal: Principal, ref: str) -> IssueRow:
    issue = get_issue(db, visible_projects(db, principal, None), ref)
    if issue is None:
        raise NotFound("no issue has this id")
    return issue
