"""Issues as the commands find and print them, without control characters: no message can move the cursor or colour a
terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bloop.base.errors import NotFound
from bloop.db.engine import Db
from bloop.issues.detail.markdown import plain
from bloop.issues.read import IssueRow, find_issues
from bloop.issues.status.model import Status
from bloop.issues.status.words import mute_words
from bloop.projects.read import find_project, project_ids

TITLE_CHARS_MAX = 80


def projects_of(db: Db, slug: str | None) -> Sequence[int]:
    return (find_project(db, slug).id,) if slug else project_ids(db)


def named_issues(db: Db, references: Sequence[str], slug: str | None) -> list[IssueRow]:
    """Every issue that is named, once. Raises: NotFound, with the references that name none."""
    projects = projects_of(db, slug)
    found: dict[int, IssueRow] = {}
    missing = []
    for reference in references:
        named = find_issues(db, projects, reference)
        found |= {row.id: row for row in named}
        missing += [] if named else [reference]
    if missing:
        raise NotFound(f"issue {', '.join(missing)} not found")
    return list(found.values())


def title(row: IssueRow) -> str:
    return title_of(row.error_type, row.message)


def title_of(error_type: str, message: str) -> str:
    """One line of at most TITLE_CHARS_MAX characters."""
    text = " ".join(plain(f"{error_type}: {message}").split())
    return text if len(text) <= TITLE_CHARS_MAX else text[: TITLE_CHARS_MAX - 1] + "…"


def state(row: IssueRow) -> str:
    if row.status == Status.RESOLVED and row.resolved_in_release:
        place = "in the release after" if row.resolved_in_next else "in"
        return f"resolved {place} {plain(row.resolved_in_release)}{', still firing' if row.is_firing else ''}"
    return f"{row.status} {mute_words(row.muted_until_ms, row.muted_events, row.muted_per_hour)}".strip()


def public(row: IssueRow) -> dict[str, Any]:
    return {
        "id": row.short_id,
        "project": row.project_slug,
        "fingerprint": row.fingerprint,
        "status": row.status,
        "is_firing": bool(row.is_firing),
        "error_type": row.error_type,
        "message": row.message,
        "event_count": row.event_count,
        "user_count": row.user_count,
        "user_count_is_estimate": bool(row.users_are_estimated),
        "first_seen_ms": row.first_seen_ms,
        "last_seen_ms": row.last_seen_ms,
        "last_release": row.last_release,
        "resolved_in_release": row.resolved_in_release,
        "resolved_in_next_release": bool(row.resolved_in_next),
        "muted_until_ms": row.muted_until_ms,
        "muted_events": row.muted_events,
        "muted_per_hour": row.muted_per_hour,
        "assignee": row.assignee_username,
    }
