"""Completion of a search while it is typed: which part of the text is being written, and what it could become. Pure.

COMPLETION-1  Only the value, or the key, at the cursor is replaced; the rest of the text stays as it was typed.
COMPLETION-2  At most OPTIONS_MAX options: those that begin with what was typed, then those that contain it, each in
    the order given, in which values seen last, or most, come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from bloop.issues.search.keys import EXAMPLES, FACTS, FIRING, STATUSES, TAG_PREFIX, Field, named
from bloop.issues.search.terms import quoted
from bloop.records.event_record import LEVELS

OPTIONS_MAX = 10
VALUE_CHARS_MAX = 120  # longer values are not offered: nobody could tell them apart in a list

_KEY = re.compile(
    r'(?:tag\."(?P<quoted>(?:[^"\\]|\\["\\])+)"|tag\.(?P<tag>[^\s:",]+)|(?P<key>[A-Za-z-]+)):', re.IGNORECASE
)
_EXAMPLES = {
    Field.HTTP: ("500", ">=500", "404", "400..499"),
    Field.EVENTS: (">10", ">100", ">1000"),
    Field.USERS: (">1", ">10", ">100"),
    Field.FIRST: ("1h", "24h", "7d", "30d"),
    Field.LAST: ("1h", "24h", "7d", "30d"),
    Field.IS: (
        "open",
        "regressed",
        FIRING,
        *(status for status in STATUSES if status not in ("open", "regressed", FIRING)),
    ),
    Field.LEVEL: LEVELS,
}
_HELP = {
    Field.IS: "status of the issue",
    Field.ASSIGNED: "assignee",
    Field.ENVIRONMENT: "environment",
    Field.RELEASE: "release",
    Field.SOURCE: "where it runs",
    Field.ROUTE: "route",
    Field.PROJECT: "project",
    Field.TYPE: "type of the error",
    Field.LEVEL: "level",
    Field.MESSAGE: "part of the message",
    Field.REQUEST: "request id",
    Field.USER: "user id, hashed",
    Field.DEVICE: "device id, hashed",
    Field.EVENT: "the client's event id",
    Field.HTTP: "HTTP status",
    Field.TAG: "a tag or metadata",
    Field.HAS: "events that have it",
    Field.EVENTS: "events of the issue",
    Field.USERS: "users of the issue",
    Field.FIRST_RELEASE: "first seen in",
    Field.FIRST: "first seen within",
    Field.LAST: "last seen within",
}


class WrittenPart(NamedTuple):
    """What is being written: a key where `field` is None, else a value of that field. It is the text from `start` to
    `end`; `typed` is what of it stands before the cursor."""

    field: Field | None
    tag: str
    typed: str
    start: int
    end: int


class CompletionOption(NamedTuple):
    """`text` goes in the place of what is being written; `note` explains it."""

    text: str
    note: str = ""


def place_at(text: str, at: int) -> WrittenPart:
    """The key or value that the cursor, before the character `at`, is in."""
    at = min(max(at, 0), len(text))
    start, end = _word_around(text, at)
    body = start + (text[start : start + 1] == "-")
    if at < body:
        body = start
    key = _KEY.match(text, body, end)
    if key is None or at < key.end():
        return WrittenPart(None, "", text[body:at], body, key.end() if key else end)
    field = Field.TAG if key["key"] is None else named(key["key"])
    if field is None:
        return WrittenPart(None, "", text[body:at], body, end)
    value_start, value_end = _value_around(text, key.end(), end, at)
    return WrittenPart(
        field, key["quoted"] or key["tag"] or "", text[value_start:at].lstrip('"'), value_start, value_end
    )


def key_options(typed: str, tags: Iterable[str]) -> list[CompletionOption]:
    """Keys that begin with what was typed; `tags` are the keys of tags there are."""
    low = typed.lower()
    if low.startswith(TAG_PREFIX):
        names = _fitting(tags, typed[len(TAG_PREFIX) :].lstrip('"'))
        return [CompletionOption(f"{TAG_PREFIX}{_tag_name(name)}:") for name in names]
    options = [
        CompletionOption(TAG_PREFIX if field is Field.TAG else f"{field}:", _HELP[field])
        for field in EXAMPLES
        if field.startswith(low)
    ]
    return options[:OPTIONS_MAX]


def value_options(place: WrittenPart, values: Iterable[str]) -> list[CompletionOption]:
    """The values, and the fixed ones of the key, that fit what was typed."""
    assert place.field is not None
    fixed: Iterable[str] = _EXAMPLES.get(place.field, ())
    if place.field is Field.HAS:
        fixed = FACTS
    everything = dict.fromkeys((*values, *fixed) if place.field is Field.HTTP else (*fixed, *values))
    return [CompletionOption(quoted(value)) for value in _fitting(everything, place.typed)]


def _fitting(values: Iterable[str], typed: str) -> list[str]:
    low = typed.lower()
    fitting = [value for value in values if _can_be_typed(value) and low in value.lower()]
    return sorted(fitting, key=lambda value: not value.lower().startswith(low))[:OPTIONS_MAX]


def _can_be_typed(value: str) -> bool:
    return 0 < len(value) <= VALUE_CHARS_MAX and value.isprintable() and value == value.strip()


def _tag_name(name: str) -> str:
    return name if re.fullmatch(r'[^\s:",]+', name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _word_around(text: str, at: int) -> tuple[int, int]:
    """The term that the cursor is in or behind; both numbers are `at` where there is none."""
    start, is_quoted, position = 0, False, 0
    while position < len(text):
        character = text[position]
        if character == "\\" and is_quoted:
            position += 2
            continue
        if character == '"':
            is_quoted = not is_quoted
        elif character.isspace() and not is_quoted:
            if position >= at:
                return start, position
            start = position + 1
        position += 1
    return min(start, len(text)), len(text)


def _value_around(text: str, start: int, end: int, at: int) -> tuple[int, int]:
    """The alternative between commas that the cursor is in."""
    is_quoted = False
    for position in range(start, end):
        if text[position] == '"':
            is_quoted = not is_quoted
        elif text[position] == "," and not is_quoted:
            if position >= at:
                return start, position
            start = position + 1
    return start, end
