"""Many issues at once: those that are named, or all that a list holds.

BULK-1  Every reference is looked up among the projects its sender may see, like a single one; each issue that is
    changed gets its own audit line and signal.
BULK-2  Named issues are changed in one transaction, those that can be; what cannot is named with its reason.
BULK-3  All matching: those that match when the request arrives, at most MATCHING_MAX, in slices (CHANGE-2). An issue
    that is deleted meanwhile is left out. One undo_id undoes all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.auth.principal import Principal
from bloop.base import credentials
from bloop.base.errors import StorageError
from bloop.db.engine import Db
from bloop.issues.deletion.read import matching_ids
from bloop.issues.listing.page_read import filter_of
from bloop.issues.listing.state import IssueView
from bloop.issues.read import IssueRow, find_issues, matching_events
from bloop.issues.status.audit import Actor
from bloop.issues.status.changes import change_issues, in_slices
from bloop.issues.status.requests import ChangeRequest
from bloop.issues.status.store import pin
from bloop.issues.undo.read import by_project
from bloop.projects.read import visible_projects
from bloop.site.deps import Deps

MATCHING_MAX = 10_000
UNKNOWN = "no issue has this id"


class BulkResult(NamedTuple):
    """The changed issues, and the reason for every reference that failed. `undo_id` is empty where none was changed."""

    changed: list[IssueRow]
    failed: dict[str, str]
    undo_id: str = ""


class MatchingResult(NamedTuple):
    """`is_more`: further issues match, or may: a search of events ends after so many. `problem` stopped it earlier."""

    changed: int
    is_more: bool
    undo_id: str
    problem: StorageError | None = None


def change_named(
    db: Db,
    principal: Principal,
    references: Sequence[str],
    request: ChangeRequest,
    *,
    project: str | None,
    actor: Actor,
    now_ms: int,
) -> BulkResult:
    """Do what is asked to every issue that the references name (BULK-1), in the caller's transaction.

    Raises:
        NotFound: there is no such project.
        InvalidParameter: there is no such account, or no release that the next one could follow.
    """
    project_ids = visible_projects(db, principal, project)
    changed: dict[int, IssueRow] = {}
    failed = {}
    for reference in dict.fromkeys(references):
        named = find_issues(db, project_ids, reference)
        changed |= {issue.id: issue for issue in named}
        if not named:
            failed[reference] = UNKNOWN
    if not changed:
        return BulkResult([], failed)
    done = change_issues(db, list(changed), request.look_up(db), actor=actor, now_ms=now_ms)
    return BulkResult(list(changed.values()), failed, done.undo_id)


def change_matching(
    deps: Deps, principal: Principal, view: IssueView, request: ChangeRequest, *, project: str | None, actor: Actor
) -> MatchingResult:
    """Do what is asked to all issues of the list that the caller may see (BULK-3).

    Raises:
        NotFound: there is no such project.
        InvalidParameter: as `change_named`, or the list cannot be understood; nothing was changed.
        StorageError: nothing could be written.
    """
    now_ms, undo_id = deps.now_ms(), credentials.new_id()
    with deps.database.reader() as db:
        project_ids = visible_projects(db, principal, project)
        issue_filter = matching_events(db, project_ids, filter_of(db, project_ids, view, principal.user_id, now_ms))
        ids = matching_ids(db, project_ids, issue_filter, rows_max=MATCHING_MAX + 1)
        issue_ids = ids[:MATCHING_MAX]
        is_more = len(ids) > MATCHING_MAX or (issue_filter.found is not None and not issue_filter.found[1])
        _check(db, issue_ids, request)

    def change(db: Db, part: Sequence[int]) -> int:
        found = [issue_id for own in by_project(db, part).values() for issue_id in own]
        change_issues(db, found, request.look_up(db), actor=actor, now_ms=now_ms, undo_id=undo_id)
        return len(found)

    changed = 0
    try:
        for count in in_slices(deps.database.change, issue_ids, change):
            changed += count
    except StorageError as error:
        if not changed:
            raise
        return MatchingResult(changed, is_more or len(ids) > changed, undo_id, error)
    return MatchingResult(changed, is_more, undo_id)


def _check(db: Db, issue_ids: Sequence[int], request: ChangeRequest) -> None:
    """Fail before the first slice where a later one would."""
    request.look_up(db)
    if request.choice is not None and request.choice.resolution.is_next:
        for project_id in by_project(db, issue_ids):
            pin(db, project_id, request.choice.resolution)
