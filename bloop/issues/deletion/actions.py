"""Deletes issues for a person or a token: those that are named, or all that match a search.

DELETION-1  The answer counts what this deletion deletes: an issue that another one has deleted meanwhile is not in it.
DELETION-2  Up to AT_ONCE_MAX issues are gone when the answer comes. More are put on the list of those to delete, part
    by part; background work discards them, and a kill in between leaves a part of what was asked, never anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from bloop.auth.principal import Principal
from bloop.db.engine import Db
from bloop.issues.deletion import store
from bloop.issues.deletion.model import AT_ONCE_MAX, Deleted
from bloop.issues.deletion.read import matching_ids
from bloop.issues.read import IssueFilter, IssueRow, find_issues
from bloop.issues.status.audit import Actor
from bloop.projects.read import visible_projects

if TYPE_CHECKING:  # commands use this module too, without what only pages need
    from bloop.site.deps import Deps

T = TypeVar("T")


class Change(Protocol):
    """Runs a function in one write transaction and returns what it returns."""

    def __call__(self, action: Callable[[Db], T], /) -> T: ...


class Deletion(NamedTuple):
    """What came of a deletion. `is_waiting`: its issues are still visible, and background work discards them."""

    deleted: Deleted
    is_waiting: bool = False


class NamedDeletion(NamedTuple):
    deleted: Deleted
    is_waiting: bool
    unknown: list[str]  # references that name no issue


def delete_ids(
    change: Change, issue_ids: Sequence[int], subject: str, *, project_id: int | None, actor: Actor, now_ms: int
) -> Deletion:
    """Delete these issues and note who did it; `subject` are short ids, or the search that they match."""
    is_waiting = len(issue_ids) > AT_ONCE_MAX
    delete, size = (store.enqueue, store.ENQUEUED_MAX) if is_waiting else (store.delete_issues, AT_ONCE_MAX)
    total = Deleted()
    for start in range(0, len(issue_ids), size):
        part = issue_ids[start : start + size]
        deleted = change(lambda db, part=part: delete(db, part))  # type: ignore[misc]
        total = Deleted(total.issues + deleted.issues, total.events + deleted.events)
    if total.issues:
        change(lambda db: store.record_deletion(db, total, subject, project_id=project_id, actor=actor, now_ms=now_ms))
    return Deletion(total, is_waiting)


def delete_named(
    deps: Deps, principal: Principal, references: Sequence[str], *, project: str | None, actor: Actor
) -> NamedDeletion:
    """Delete every issue that the references name, among those the caller may see. Raises: NotFound, of the project."""
    issues: dict[int, IssueRow] = {}
    unknown = []
    with deps.database.reader() as db:
        project_ids = visible_projects(db, principal, project)
        for reference in dict.fromkeys(references):
            named = find_issues(db, project_ids, reference)
            issues |= {issue.id: issue for issue in named}
            if not named:
                unknown.append(reference)
    subject = " ".join(issue.short_id for issue in issues.values())
    projects = {issue.project_id for issue in issues.values()}
    result = delete_ids(
        deps.database.change,
        list(issues),
        subject,
        project_id=projects.pop() if len(projects) == 1 else None,
        actor=actor,
        now_ms=deps.now_ms(),
    )
    return NamedDeletion(*result, unknown)


def delete_matching(
    deps: Deps, principal: Principal, issue_filter: IssueFilter, subject: str, *, project: str | None, actor: Actor
) -> Deletion:
    """Delete every issue that matches, among those the caller may see. Raises: NotFound, of the project."""
    with deps.database.reader() as db:
        project_ids = visible_projects(db, principal, project)
        issue_ids = matching_ids(db, project_ids, issue_filter)
    return delete_ids(
        deps.database.change,
        issue_ids,
        subject,
        project_id=project_ids[0] if len(project_ids) == 1 else None,
        actor=actor,
        now_ms=deps.now_ms(),
    )
