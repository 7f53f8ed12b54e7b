"""The keys of the search language, by the values they take and by the rows they are about. Pure.

KEYS-1  A key means the same wherever a search is typed. Keys of `EVENT_KEYS` are about single events, those of
    `SHARED_KEYS` about an event where events are searched and about the issue where issues are, all others about the
    issue.
"""

from __future__ import annotations

import difflib
from enum import StrEnum

from bloop.base.errors import InvalidParameter
from bloop.issues.status.model import OPEN, SILENT, Status

NAME = "query"  # the parameter that errors name
NEAR_MIN = 0.6  # similarity from which on a key is taken for a misspelt one


class Field(StrEnum):
    TEXT = "text"
    IS = "is"
    ASSIGNED = "assigned"
    ENVIRONMENT = "env"
    RELEASE = "release"
    SOURCE = "source"
    ROUTE = "route"
    PROJECT = "project"
    TYPE = "type"
    LEVEL = "level"
    MESSAGE = "message"
    REQUEST = "request"
    USER = "user"
    DEVICE = "device"
    EVENT = "event"
    HTTP = "http"
    TAG = "tag"
    HAS = "has"
    EVENTS = "events"
    USERS = "users"
    FIRST_RELEASE = "first-release"
    FIRST = "first"
    LAST = "last"


EVENT_KEYS = frozenset((Field.REQUEST, Field.USER, Field.DEVICE, Field.EVENT, Field.HTTP, Field.TAG, Field.HAS))
SHARED_KEYS = frozenset((Field.ENVIRONMENT, Field.RELEASE, Field.SOURCE, Field.ROUTE, Field.LEVEL, Field.MESSAGE))
NUMBER_KEYS = frozenset((Field.EVENTS, Field.USERS, Field.HTTP))
TIME_KEYS = frozenset((Field.FIRST, Field.LAST))

FIRING = "firing"  # resolved, and still sent by releases from before the fix: no status of its own
NOBODY = "nobody"
# The values of `is:`, and the stored statuses each stands for.
STATUSES: dict[str, tuple[Status, ...]] = {
    "open": OPEN,
    **{status.value: (status,) for status in (*OPEN, Status.RESOLVED, *SILENT)},
    FIRING: (),
}
TAG_PREFIX = "tag."
# The values of `has:`, besides tag.KEY.
FACTS = ("request", "user", "device", "event", "http", "route", "screen", "stack", "metadata")

EXAMPLES = {
    Field.IS: "is:regressed",
    Field.ASSIGNED: "assigned:ada or assigned:nobody",
    Field.ENVIRONMENT: "env:production",
    Field.RELEASE: "release:1.4.*",
    Field.SOURCE: "source:ios",
    Field.ROUTE: "route:/api/*",
    Field.PROJECT: "project:web-shop",
    Field.TYPE: "type:TypeError",
    Field.LEVEL: "level:fatal",
    Field.MESSAGE: 'message:"connection reset"',
    Field.REQUEST: "request:req-4711",
    Field.USER: "user:5f2c9e",
    Field.DEVICE: "device:9d41c0",
    Field.EVENT: "event:7b1f0c",
    Field.HTTP: "http:500 or http:>=500",
    Field.TAG: "tag.plan:pro",
    Field.HAS: "has:user or has:tag.plan",
    Field.EVENTS: "events:>100",
    Field.USERS: "users:5..10",
    Field.FIRST_RELEASE: "first-release:2.4.1",
    Field.FIRST: "first:7d",
    Field.LAST: "last:24h",
}
_NAMES = {field.value: field for field in EXAMPLES if field is not Field.TAG} | {"environment": Field.ENVIRONMENT}
_LIKE_TAGS = ("tags", "metadata", "meta")
SHOWN = tuple(f"{field.value}:" if field is not Field.TAG else "tag.KEY:" for field in EXAMPLES)


def named(name: str) -> Field | None:
    """The key with this name, in any case; None when there is none. `tag.KEY` is told by its prefix, not here."""
    return _NAMES.get(name.lower())


def unknown(name: str) -> InvalidParameter:
    """The error for a key that does not exist: the nearest one that does."""
    word = name.lower().partition(".")[0]
    near = ["tag"] if word in _LIKE_TAGS else difflib.get_close_matches(word, [*_NAMES, "tag"], n=1, cutoff=NEAR_MIN)
    if near:
        suggestion = f"Did you mean {'tag.KEY' if near[0] == 'tag' else near[0]}:?"
    else:
        suggestion = f"Try {', '.join(SHOWN[:-1])} or {SHOWN[-1]}."
    return InvalidParameter(NAME, f"Unknown filter '{name}:'. {suggestion} To search for the text, put it in quotes.")


def unknown_value(subject: str, value: str, choices: tuple[str, ...]) -> InvalidParameter:
    """The error for a value that is none of `choices`."""
    return InvalidParameter(NAME, f"Unknown {subject} '{value}'. Try {', '.join(choices[:-1])} or {choices[-1]}.")
