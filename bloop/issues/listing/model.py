"""What a list of issues can be asked for: tabs, orders, filters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bloop.issues.counts.membership import NearScope
from bloop.issues.counts.scope import CountScope
from bloop.issues.search.terms import NO_QUERY, Query
from bloop.issues.status.model import Status


class Sort(StrEnum):
    """The order, highest first. Within a scope LAST_SEEN, EVENTS and USERS are those of the scope."""

    LAST_SEEN = "last_seen"
    FIRST_SEEN = "first_seen"
    EVENTS = "events"
    USERS = "users"
    TREND = "trend"  # how many times as many events as in the window before


INDEXED_SORTS = (Sort.LAST_SEEN, Sort.FIRST_SEEN, Sort.EVENTS)  # an index has the order, of the whole life of issues


class Tab(StrEnum):
    """The tab of the list. OPEN holds the issues that need attention: unresolved and regressed."""

    OPEN = "open"
    MINE = "mine"  # open, and assigned to the visitor
    UNRESOLVED = Status.UNRESOLVED
    REGRESSED = Status.REGRESSED
    FIRING = "firing"  # resolved, and still sent by releases from before the fix
    NEW = "new"  # first seen in one release
    RESOLVED = Status.RESOLVED
    IGNORED = Status.IGNORED
    MUTED = Status.MUTED
    ALL = "all"


@dataclass(frozen=True, slots=True)
class IssueFilter:
    """None, or ALL, does not filter. `since_ms` and `until_ms` bound last seen, both inclusive.

    `now_ms` is what the times of `query` are counted back from. MINE needs `me`, NEW needs `new_in`. `found` and `near`
    are looked up by lists that do not find them here (`issues.read.looked_up`).
    """

    tab: Tab = Tab.ALL
    scope: CountScope | None = None  # at least one event within it
    source: str | None = None
    route: str | None = None
    text: str | None = None  # contained in "type: message", ASCII letters in any case
    since_ms: int | None = None
    until_ms: int | None = None
    query: Query = NO_QUERY
    now_ms: int = 0
    found: tuple[tuple[int, ...], bool] | None = None  # issues that `query` finds by single events; whether all of them
    near: NearScope | None = None
    me: str = ""  # id of a user
    new_in: str = ""  # a release
