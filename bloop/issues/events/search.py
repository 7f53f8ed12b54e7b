"""Searches for single events, newest first, by what the index says of them (columns.py) and by the events themselves.

    find_events     a page of events that fulfil a search
    resolve         the issues that have such an event, for lists of issues

EVENT-SEARCH-1  Terms about issues (words, is:, assigned:, type: …) hold for the issue of an event, all others for one
    event, together. Only events of the given projects are found.
EVENT-SEARCH-2  Request, user, device, event id, HTTP status and tags, named exactly, are found through the index, over
    all that is retained, as are environments, releases, sources and routes. Whatever else a search says is looked for
    in the events that remain, the newest walk.SCANNED_MAX of them; `is_complete` says when there were more.
EVENT-SEARCH-3  Events that have no block yet, the newest few thousand, are looked at one by one. So what is found does
    not depend on how far the index is.
EVENT-SEARCH-4  Order is that of ids, in which events were stored, and a page continues below the id it ended with: no
    event is shown twice or left out, however many arrive meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from bloop.db.engine import Db
from bloop.issues.events.read import EventRow, by_ids
from bloop.issues.events.walk import EventWalk
from bloop.issues.search.keys import EVENT_KEYS, SHARED_KEYS, Field
from bloop.issues.search.terms import Query
from bloop.site.scope import Window

LIMIT_MAX = 200
ISSUES_MAX = 5000  # as many as a list of issues looks up one by one (issues/search/conditions.py)

_OF_EVENTS = EVENT_KEYS | SHARED_KEYS
# What an event must fulfil when issues are searched: all other terms are answered by the issue, as they always were.
_OF_EVENTS_OF_ISSUES = EVENT_KEYS | {Field.ENVIRONMENT, Field.RELEASE}


class EventMatches(NamedTuple):
    """A page of events, newest first. `next`: continue with `before=next`; None: there are no more."""

    rows: list[EventRow]
    next: int | None
    scanned: int  # events that had to be looked at themselves
    is_complete: bool  # False: `scanned` was the limit, and older events were not looked at


class IssueMatches(NamedTuple):
    """Row ids of issues, those with the newest matching events first."""

    issue_ids: list[int]
    scanned: int
    is_complete: bool  # False: further issues may have matching events, all older than those found


def find_events(
    db: Db,
    project_ids: Sequence[int],
    query: Query,
    *,
    now_ms: int,
    window: Window | None = None,
    issue_ids: Sequence[int] | None = None,
    limit: int,
    before: int | None = None,
) -> EventMatches:
    """One page of the events that fulfil `query`: received in `window`, of these issues, with ids below `before`."""
    assert 0 < limit <= LIMIT_MAX
    about_events, about_issues = query.only(_OF_EVENTS), query.only(set(Field) - _OF_EVENTS)
    walk = EventWalk(
        db,
        project_ids,
        about_events,
        about_issues,
        now_ms=now_ms,
        window=window,
        issue_ids=issue_ids,
        before=before,
    )
    hits = list(islice(walk.hits(), limit + 1))
    page = hits[:limit]
    rows = sorted(by_ids(db, [hit.event_id for hit in page]), reverse=True)
    if len(hits) > limit:
        return EventMatches(rows, page[-1].event_id, walk.scanned, is_complete=True)
    return EventMatches(rows, walk.stopped_at, walk.scanned, is_complete=walk.stopped_at is None)


def resolve(db: Db, project_ids: Sequence[int], query: Query, window: Window | None, now_ms: int) -> IssueMatches:
    """The issues with an event that fulfils `query`, received within `window` (None: at any time), at most ISSUES_MAX.

    Terms about issues hold too. Environment and release hold for the same event as the others, while source, route,
    level and message are those of the issue.
    """
    about_events = query.only(_OF_EVENTS_OF_ISSUES)
    about_issues = query.only(set(Field) - _OF_EVENTS_OF_ISSUES)
    walk = EventWalk(db, project_ids, about_events, about_issues, now_ms=now_ms, window=window)
    found: dict[int, None] = {}
    is_full = False
    for hit in walk.hits():
        if len(found) >= ISSUES_MAX and hit.issue_id not in found:
            is_full = True
            break
        found[hit.issue_id] = None
        walk.pass_over(hit.issue_id)
    return IssueMatches(list(found), walk.scanned, is_complete=not is_full and walk.stopped_at is None)
