"""The search language: text of a search box → terms. Pure.

    TypeError "reading 'price'" is:regressed env:production,staging -route:/health* last:24h

TERMS-1  Words and "phrases" are looked for anywhere in type, message, route and place of an issue. Everything that is
    asked for must hold; a comma between values means any of them, a leading `-` that it must not hold.
TERMS-2  Only the names in `Field` are filters. Other words with a colon in them (`TypeError: x`, `http://…`) are text,
    and what looks like a slip of a filter's name is refused rather than searched for.
TERMS-3  Whatever is refused says what would be right. Nothing is dropped silently.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.base.errors import InvalidParameter
from bloop.issues.status.model import OPEN, SILENT, Status

TERMS_MAX = 20
TEXT_CHARS_MAX = 500  # of a whole search
NAME = "query"  # what errors call it


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
    FIRST = "first"
    LAST = "last"


_NAMES = {field.value: field for field in Field if field is not Field.TEXT} | {"environment": Field.ENVIRONMENT}
FIRING = "firing"  # resolved, and still sent by releases from before the fix: no status of its own
NOBODY = "nobody"
# What `is:` takes, and the stored statuses it stands for.
STATUSES: dict[str, tuple[Status, ...]] = {
    "open": OPEN,
    **{status.value: (status,) for status in (*OPEN, Status.RESOLVED, *SILENT)},
    FIRING: (),
}
_UNITS_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_TIMES = (Field.FIRST, Field.LAST)

_NAMED = re.compile(r"([A-Za-z]+):(?!:|//|\\)", re.ASCII)  # neither Type::Error nor https:// nor C:\ names a filter
_SPAN = re.compile(r"([0-9]{1,5})([mhdw])")
_HIDDEN = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Since:
    """The instant a `first:` or `last:` begins at: so long ago, or a day (UTC)."""

    ago_ms: int | None
    at_ms: int | None

    def instant_ms(self, now_ms: int) -> int:
        return self.at_ms if self.at_ms is not None else now_ms - (self.ago_ms or 0)


@dataclass(frozen=True, slots=True)
class Term:
    """One thing asked for. `values` are alternatives, never empty; `since` is set for FIRST and LAST alone."""

    field: Field
    values: tuple[str, ...]
    negated: bool
    source: str  # as it was typed
    since: Since | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A search: its terms all hold together. Hashable, so it can name a list."""

    terms: tuple[Term, ...] = ()

    def of(self, field: Field, *, negated: bool = False) -> tuple[Term, ...]:
        return tuple(term for term in self.terms if term.field is field and term.negated is negated)

    @property
    def says_status(self) -> bool:
        """It names the statuses it wants, so a list's tab has no say."""
        return bool(self.of(Field.IS))

    @property
    def says_times(self) -> bool:
        """It means something else as time goes by."""
        return any(term.since is not None and term.since.at_ms is None for term in self.terms)

    def without(self, field: Field) -> str:
        """The text of this search without what it says about `field`."""
        return " ".join(term.source for term in self.terms if term.field is not field)


def parse(text: str) -> Query:
    """The terms of a search; blank text has none.

    Raises:
        InvalidParameter: what cannot be understood, and what would be.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise InvalidParameter(NAME, f"must be at most {TEXT_CHARS_MAX} characters")
    terms = tuple(_terms(_HIDDEN.sub(" ", text)))
    if len(terms) > TERMS_MAX:
        raise InvalidParameter(NAME, f"must be at most {TERMS_MAX} terms; put a phrase into quotes to make it one")
    return Query(terms)


def _terms(text: str) -> Iterator[Term]:
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        term, position = _term(text, position)
        yield term


def _term(text: str, start: int) -> tuple[Term, int]:
    negated = text[start] == "-" and start + 1 < len(text) and not text[start + 1].isspace()
    body = start + negated
    field = Field.TEXT
    if (named := _NAMED.match(text, body)) is not None and (found := _field(named[1], text, named.end())) is not None:
        field, body = found, named.end()
    if field is Field.TEXT:
        value, end = _value(text, body, stops="")
        values = [value]
    else:
        values, end = _alternatives(text, body)
    kept = tuple(value for value in values if value)
    if not kept:
        if field is Field.TEXT:
            raise InvalidParameter(NAME, "an empty pair of quotes matches nothing; remove it")
        raise InvalidParameter(NAME, f"{field}: needs a value, as in {_EXAMPLES[field]}")
    if field is Field.IS:
        kept = tuple(_status(value) for value in kept)
    since = _since(field, kept) if field in _TIMES else None
    return Term(field, kept, negated, text[start:end], since), end


def _field(name: str, text: str, end: int) -> Field | None:
    """The filter a name stands for; None when it is only a word with a colon (TERMS-2)."""
    if (field := _NAMES.get(name.lower())) is not None:
        return field
    is_followed = end < len(text) and not text[end].isspace()
    if is_followed and name.islower() and (close := difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.75)):
        raise InvalidParameter(
            NAME, f'there is no filter {name}: – did you mean {close[0]}:? To look for the text, put it into "quotes"'
        )
    return None


def _alternatives(text: str, position: int) -> tuple[list[str], int]:
    """Values between commas, each bare or quoted."""
    value, position = _value(text, position, stops=",")
    values = [value]
    while position < len(text) and text[position] == ",":
        value, position = _value(text, position + 1, stops=",")
        values.append(value)
    return values, position


def _value(text: str, start: int, *, stops: str) -> tuple[str, int]:
    if start < len(text) and text[start] == '"':
        return _quoted(text, start + 1)
    end = start
    while end < len(text) and not text[end].isspace() and text[end] not in stops:
        end += 1
    return text[start:end], end


def _quoted(text: str, start: int) -> tuple[str, int]:
    """Up to the closing quote; a backslash before a quote or a backslash takes it as it is."""
    taken: list[str] = []
    position = start
    while position < len(text):
        character = text[position]
        if character == '"':
            return "".join(taken).strip(), position + 1
        if character == "\\" and text[position + 1 : position + 2] in ('"', "\\"):
            position += 1
            character = text[position]
        taken.append(character)
        position += 1
    raise InvalidParameter(NAME, 'a quote " is opened and not closed')


def _status(value: str) -> str:
    if value.lower() not in STATUSES:
        raise InvalidParameter(NAME, f"is: takes {', '.join(STATUSES)}, not {value}")
    return value.lower()


def _since(field: Field, values: tuple[str, ...]) -> Since:
    if len(values) == 1:
        if span := _SPAN.fullmatch(values[0].lower()):
            return Since(int(span[1]) * _UNITS_MS[span[2]], None)
        try:
            day = date.fromisoformat(values[0])
            return Since(None, int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000))
        except ValueError:
            pass
    raise InvalidParameter(
        NAME, f"{field}: takes a time such as 30m, 24h, 7d, 2w or 2026-01-18, not {','.join(values)}"
    )


_EXAMPLES = {
    Field.IS: "is:regressed",
    Field.ASSIGNED: "assigned:ada or assigned:nobody",
    Field.ENVIRONMENT: "env:production",
    Field.RELEASE: "release:1.4.*",
    Field.SOURCE: "source:ios",
    Field.ROUTE: "route:/api/*",
    Field.PROJECT: "project:web-shop",
    Field.TYPE: "type:TypeError",
    Field.LEVEL: "level:fatal",
    Field.FIRST: "first:7d",
    Field.LAST: "last:24h",
}

NO_QUERY = Query()
