"""Reads real values for the completion of a search: names that are kept, and what the newest events say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bloop.accounts.people.read import list_users
from bloop.base.clock import DAY_MS, hour_of
from bloop.db.engine import Db
from bloop.issues.counts.read import top_routes
from bloop.issues.events.read import EventRow, list_events
from bloop.issues.read import IssueFilter, IssueRow, list_issues
from bloop.issues.search.completion import CompletionOption, WrittenPart, key_options, value_options
from bloop.issues.search.keys import NOBODY, TAG_PREFIX, Field
from bloop.projects.read import list_projects
from bloop.records.event_record import tags_of
from bloop.releases import read as releases

ISSUES_READ = 50  # seen last; their newest events have the values that nothing counts
EVENTS_READ = 200
SOURCES_SINCE_MS = 30 * DAY_MS
_IDS = {
    Field.REQUEST: "request_id",
    Field.USER: "user_id_hash",
    Field.DEVICE: "device_id_hash",
    Field.EVENT: "event_id",
    Field.HTTP: "http_status",
}


def options(db: Db, project_ids: Sequence[int], place: WrittenPart, now_ms: int) -> list[CompletionOption]:
    """What `place` may be completed to, with values that occur in these projects."""
    if place.field is None:
        keys = _tag_keys(db, project_ids) if place.typed.lower().startswith(TAG_PREFIX) else ()
        return key_options(place.typed, keys)
    return value_options(place, _values(db, project_ids, place, now_ms))


def _values(db: Db, project_ids: Sequence[int], place: WrittenPart, now_ms: int) -> Iterable[str]:
    field = place.field
    if field is Field.ENVIRONMENT:
        return releases.list_environments(db, project_ids)
    if field in (Field.RELEASE, Field.FIRST_RELEASE):
        return releases.list_releases(db, project_ids)
    if field is Field.SOURCE:
        return releases.list_sources(db, project_ids, hour_of(now_ms - SOURCES_SINCE_MS))
    if field is Field.ROUTE:
        return [row.route for row in top_routes(db, project_ids) if row.route]
    if field is Field.PROJECT:
        return [project.slug for project in list_projects(db, project_ids)]
    if field is Field.ASSIGNED:
        return [NOBODY, *(user.username for user in list_users(db))]
    if field is Field.TYPE:
        return [issue.error_type for issue in _newest_issues(db, project_ids)]
    if field is Field.HAS:
        return [f"{TAG_PREFIX}{key}" for key in _tag_keys(db, project_ids)]
    if field is Field.TAG:
        return [text for event in _newest_events(db, project_ids) for text in tags_of(event).get(place.tag, ())]
    if field in _IDS:
        values = (getattr(event, _IDS[field]) for event in _newest_events(db, project_ids))
        return [str(value) for value in values if value is not None]
    return ()


def _tag_keys(db: Db, project_ids: Sequence[int]) -> list[str]:
    return list(dict.fromkeys(key for event in _newest_events(db, project_ids) for key in tags_of(event)))


def _newest_events(db: Db, project_ids: Sequence[int]) -> list[EventRow]:
    issue_ids = [issue.id for issue in _newest_issues(db, project_ids)]
    return list_events(db, issue_ids, limit=EVENTS_READ).rows


def _newest_issues(db: Db, project_ids: Sequence[int]) -> list[IssueRow]:
    return list_issues(db, project_ids, IssueFilter(), limit=ISSUES_READ).rows
