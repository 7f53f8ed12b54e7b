"""Events that a search found, each with the issue it belongs to: as rows and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bloop.db.engine import Db
from bloop.issues.detail import show
from bloop.issues.events.read import EventRow
from bloop.issues.read import IssueRow, by_ids


class FoundEvent(NamedTuple):
    event: EventRow
    issue: IssueRow


def with_issues(db: Db, events: Sequence[EventRow]) -> list[FoundEvent]:
    """The events in their order, each with its issue."""
    issues = {row.id: row for row in by_ids(db, list({event.issue_id for event in events}))}
    return [FoundEvent(event, issues[event.issue_id]) for event in events]


def public(found: FoundEvent) -> dict[str, Any]:
    """As the API and `bloop event find --json` print it: an occurrence, and what names its issue and project."""
    event, issue = found
    return show.occurrence(event) | {
        "short_id": issue.short_id,
        "project": issue.project_slug,
        "level": event.level,
        "event_id": event.event_id,
    }
