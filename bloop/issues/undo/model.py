"""The state of an issue that a change of status or assignee replaces, and what came of undoing one. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import orjson

PART_ISSUES_MAX = 200  # in one row, so in one transaction
PARTS_KEPT = 1000  # of each project: the newest
SKIPPED_SHOWN_MAX = 200  # of the issues that an undo could not put back, those that an answer names

CHANGED_SINCE = "changed since"
DELETED = "deleted"
ACCOUNT_REMOVED = "the account it was assigned to is removed"


class IssueState(NamedTuple):
    """Everything that a change of status or assignee replaces.

    `change_id` is the line of the history that replaced it. While it is the newest of the issue, nothing has changed
    since.
    """

    issue_id: int
    change_id: int
    status: str
    resolved_at_ms: int | None
    resolved_in_release: str | None
    resolved_in_next: int
    is_firing: int
    muted_at_ms: int | None
    muted_until_ms: int | None
    muted_events: int | None
    muted_per_hour: int | None
    muted_progress: str | None
    assignee: str | None


class SkippedIssue(NamedTuple):
    """An issue that an undo left as it is. `short_id` is empty where the issue is deleted."""

    issue_id: int
    short_id: str
    reason: str


class UndoResult(NamedTuple):
    """`undo_id` undoes the undo; None where nothing was put back. `short_id` is set where it was one issue alone."""

    undone: int = 0
    skipped_count: int = 0
    skipped: tuple[SkippedIssue, ...] = ()  # at most SKIPPED_SHOWN_MAX
    undo_id: str | None = None
    short_id: str = ""


def pack(states: Iterable[IssueState]) -> bytes:
    """The states as they are stored."""
    return zlib.compress(orjson.dumps([list(state) for state in states]))


def unpack(stored: bytes) -> list[IssueState]:
    return [IssueState(*state) for state in orjson.loads(zlib.decompress(stored))]


def skipped_words(skipped: Sequence[SkippedIssue], count: int) -> str:
    """`SHOP-3 has changed since`, `3 issues were skipped: SHOP-3 changed since, SHOP-4 deleted …`."""
    if count == 1 and skipped:
        issue = skipped[0].short_id or "The issue"
        return f"{issue} has {CHANGED_SINCE}" if skipped[0].reason == CHANGED_SINCE else f"{issue}: {skipped[0].reason}"
    named = ", ".join(f"{issue.short_id or 'an issue'} {issue.reason}" for issue in skipped[:5])
    return f"{count:,} issues were skipped: {named}{', …' if count > 5 else ''}"
