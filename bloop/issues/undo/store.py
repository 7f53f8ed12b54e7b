"""Keeps the state of issues that a change replaces, and puts it back. Call inside the transaction of the change.

UNDO-1  What undoes a change is written in its transaction: there is no change without it, and none of it without the
    change.
UNDO-2  An undo puts back the whole former state of an issue, if the newest line of its history is still the one of the
    change; else the issue is skipped. Each issue it puts back gets a line of its own, and the undo can be undone.
UNDO-3  An undo is no news about an issue: it sends a signal so that pages refresh, never that the issue regressed.
UNDO-4  The newest PARTS_KEPT rows of a project are kept; those of one change go together. Retention deletes old ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bloop.accounts.people import read as people
from bloop.db.engine import Db
from bloop.issues.status import audit
from bloop.issues.status.audit import Actor
from bloop.issues.status.model import Status
from bloop.issues.status.store import SIGNALS
from bloop.issues.undo import read
from bloop.issues.undo.model import (
    ACCOUNT_REMOVED,
    CHANGED_SINCE,
    DELETED,
    PART_ISSUES_MAX,
    PARTS_KEPT,
    IssueState,
    SkippedIssue,
    UndoResult,
    pack,
)
from bloop.issues.undo.read import UndoPart
from bloop.pipeline import signals
from bloop.pipeline.signals import Signal, SignalKind

_INSERT = """
INSERT INTO undo_parts (undo_id, project_id, made_at_ms, issue_count, states)
VALUES (:undo_id, :project_id, :made_at_ms, :issue_count, :states)
"""
# Served by undo_parts_by_time. Rows of one change have the same time, so it never goes in part.
_TRIM = """
DELETE FROM undo_parts
 WHERE project_id = :project_id
   AND made_at_ms <= (SELECT made_at_ms FROM undo_parts WHERE project_id = :project_id
                       ORDER BY made_at_ms DESC LIMIT 1 OFFSET :kept)
"""
_RESTORE = """
UPDATE issues
   SET status = :status, resolved_at_ms = :resolved_at_ms, resolved_in_release = :resolved_in_release,
       resolved_in_next = :resolved_in_next, is_firing = :is_firing, muted_at_ms = :muted_at_ms,
       muted_until_ms = :muted_until_ms, muted_events = :muted_events, muted_per_hour = :muted_per_hour,
       muted_progress = :muted_progress, assignee = :assignee
 WHERE id = :issue_id
"""


def states_of(db: Db, issue_ids: Sequence[int]) -> dict[int, list[IssueState]]:
    """The state of these issues by project, to be kept before they are changed; deleted issues are left out."""
    return {
        project_id: [row.state for row in read.current(db, project_id, own)]
        for project_id, own in read.by_project(db, issue_ids).items()
    }


def keep(db: Db, undo_id: str, former: dict[int, list[IssueState]], now_ms: int) -> None:
    """Keep what these issues were (UNDO-1). Call it after the change: its lines must be in the history already."""
    for project_id, states in former.items():
        newest = {
            row.state.issue_id: row.state.change_id
            for row in read.current(db, project_id, [state.issue_id for state in states])
        }
        changed = [state._replace(change_id=newest[state.issue_id]) for state in states]
        for start in range(0, len(changed), PART_ISSUES_MAX):
            part = changed[start : start + PART_ISSUES_MAX]
            row = {
                "undo_id": undo_id,
                "project_id": project_id,
                "made_at_ms": now_ms,
                "issue_count": len(part),
                "states": pack(part),
            }
            db.execute(_INSERT, row)
        db.execute(_TRIM, {"project_id": project_id, "kept": PARTS_KEPT})


def undo_part(db: Db, part_id: int, *, actor: Actor, now_ms: int, undo_id: str) -> UndoResult:
    """Put back the issues of one part (UNDO-2); `undo_id` will undo this. A part that is gone undoes nothing."""
    part = read.get_part(db, part_id)
    if part is None:
        return UndoResult()
    former = part.unpacked()
    now = {row.state.issue_id: row for row in read.current(db, part.project_id, [state.issue_id for state in former])}
    skipped = list(_skipped(db, former, now))
    left = {issue.issue_id for issue in skipped}
    restored = [state for state in former if state.issue_id not in left]
    if restored:
        _restore(db, part, restored, now, actor=actor, now_ms=now_ms, undo_id=undo_id)
    return UndoResult(
        undone=len(restored),
        skipped_count=len(skipped),
        skipped=tuple(skipped),
        undo_id=undo_id if restored else None,
        short_id=now[restored[0].issue_id].short_id if len(restored) == 1 else "",
    )


def _skipped(db: Db, former: Sequence[IssueState], now: dict[int, read.CurrentIssue]) -> Iterator[SkippedIssue]:
    accounts = {user.id for user in people.list_users(db)} if any(state.assignee for state in former) else set()
    for state in former:
        issue = now.get(state.issue_id)
        if issue is None:
            yield SkippedIssue(state.issue_id, "", DELETED)
        elif issue.state.change_id != state.change_id:
            yield SkippedIssue(state.issue_id, issue.short_id, CHANGED_SINCE)
        elif state.assignee is not None and state.assignee not in accounts:
            yield SkippedIssue(state.issue_id, issue.short_id, ACCOUNT_REMOVED)


def _restore(
    db: Db,
    part: UndoPart,
    restored: Sequence[IssueState],
    now: dict[int, read.CurrentIssue],
    *,
    actor: Actor,
    now_ms: int,
    undo_id: str,
) -> None:
    replaced = [now[state.issue_id].state for state in restored]
    db.executemany(_RESTORE, (state._asdict() for state in restored))
    for state, before in zip(restored, replaced, strict=True):
        audit.write(
            db,
            (state.issue_id, part.project_id),
            (before.status, state.status),
            actor,
            now_ms,
            action=audit.UNDONE,
            detail={},
            undo_id=undo_id,
            undoes=state.change_id,
        )
    signals.append(db, _signals(db, part.project_id, restored, replaced, actor, now_ms))
    keep(db, undo_id, {part.project_id: replaced}, now_ms)


def _signals(
    db: Db, project_id: int, restored: Sequence[IssueState], replaced: Sequence[IssueState], actor: Actor, now_ms: int
) -> Iterator[Signal]:
    """For whatever differs (UNDO-3)."""
    names = {user.id: user.username for user in people.list_users(db)}
    for state, before in zip(restored, replaced, strict=True):
        data = {"by": actor.id, "via": actor.via, "is_undo": True}
        if state.status != before.status:
            changed = {"old_status": before.status, "new_status": state.status}
            yield Signal(SIGNALS[Status(state.status)], project_id, state.issue_id, now_ms, data | changed)
        if state.assignee != before.assignee:
            assigned = {"assignee": state.assignee, "username": names.get(state.assignee or "")}
            yield Signal(SignalKind.ISSUE_ASSIGNED, project_id, state.issue_id, now_ms, data | assigned)
