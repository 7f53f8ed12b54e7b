"""Changes of issues as people make them, on pages, by API and on the command line: all of them can be undone.

CHANGE-1  A change is kept with what undoes it, in one transaction (UNDO-1).
CHANGE-2  A change of many issues is made in slices of PART_ISSUES_MAX, each in a transaction of its own, with rests in
    between: the writer waits for one slice at most. A kill in between leaves whole slices.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

from bloop.accounts.people.read import UserRow
from bloop.base import credentials
from bloop.db.engine import Db
from bloop.issues.status.assign import assign
from bloop.issues.status.audit import Actor
from bloop.issues.status.choices import StatusChoice
from bloop.issues.status.store import change_status
from bloop.issues.undo import store as undo
from bloop.issues.undo.model import PART_ISSUES_MAX

REST_S_MAX = 0.05  # between two slices; they rest as long as the one before took

T = TypeVar("T")


class Assignment(NamedTuple):
    """`person` None: to no user."""

    person: UserRow | None


IssueChange = StatusChoice | Assignment


class Transact(Protocol):
    """Runs a function in one write transaction and returns what it returns."""

    def __call__(self, action: Callable[[Db], T], /) -> T: ...


class ChangedIssues(NamedTuple):
    """`updated` counts aggregates for a status, issues for an assignment."""

    updated: int
    undo_id: str


def change_issues(
    db: Db,
    issue_ids: Sequence[int],
    change: IssueChange,
    *,
    actor: Actor,
    now_ms: int,
    undo_id: str | None = None,
) -> ChangedIssues:
    """Change these issues, all or none, in the caller's transaction, and keep what undoes it (CHANGE-1).

    Raises:
        InvalidParameter: fixed in the next release of a project that has none.
    """
    undo_id = undo_id or credentials.new_id()
    former = undo.states_of(db, issue_ids)
    found = [state.issue_id for states in former.values() for state in states]
    if isinstance(change, Assignment):
        updated = assign(db, found, change.person, actor=actor, now_ms=now_ms, undo_id=undo_id)
    else:
        updated = change_status(db, found, **change._asdict(), actor=actor, now_ms=now_ms, undo_id=undo_id)
    undo.keep(db, undo_id, former, now_ms)
    return ChangedIssues(updated, undo_id)


def in_slices(
    transact: Transact,
    items: Sequence[int],
    action: Callable[[Db, Sequence[int]], T],
    *,
    size: int = PART_ISSUES_MAX,
    rest: Callable[[float], None] = time.sleep,
) -> Iterator[T]:
    """Run `action` on `size` items at a time, each in a transaction (CHANGE-2); yields what it returns."""
    for start in range(0, len(items), size):
        part = items[start : start + size]
        began_s = time.monotonic()
        yield transact(lambda db, part=part: action(db, part))  # type: ignore[misc]
        if start + size < len(items):
            rest(min(time.monotonic() - began_s, REST_S_MAX))
