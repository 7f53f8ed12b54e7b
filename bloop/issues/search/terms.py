"""The search language: text of a search box → terms. Pure.

    TypeError "reading 'price'" is:regressed env:production,staging -route:/health* http:>=500 tag.plan:pro last:24h

TERMS-1  Words and "phrases" are looked for anywhere in type, message, route and place of an issue. Everything that is
    asked for must hold; a comma between values means any of them, a leading `-` that it must not hold.
TERMS-2  A known key directly before a colon is a filter. So is a lower-case word directly before a colon and a
    character that is not blank: an unknown one is refused with the nearest key. `TypeError: x`, `http://…`, `a::b` and
    `c:\\x` are text, as is everything in quotes.
TERMS-3  Every refusal says what would be accepted. Nothing is dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bloop.base.errors import InvalidParameter
from bloop.issues.search.keys import (
    EVENT_KEYS,
    EXAMPLES,
    NAME,
    NUMBER_KEYS,
    TIME_KEYS,
    Field,
    named,
    unknown,
)
from bloop.issues.search.values import Range, Since, parse_fact, parse_range, parse_since, parse_status

TERMS_MAX = 20
VALUES_MAX = 50  # alternatives of one term
TEXT_CHARS_MAX = 500  # of a whole search

# Neither Type::Error nor https:// nor C:\ names a filter.
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_-]*|(?:tags|metadata)\.[^\s:\",]+):(?!:|//|\\)", re.ASCII)
_TAG = re.compile(r'tag\.(?:"((?:[^"\\]|\\["\\])+)"|([^\s:",]+)):', re.IGNORECASE)
_ESCAPED = re.compile(r'\\(["\\])')
_UNSAFE = re.compile(r'^(?::|//|\\)|[\s",\x00-\x1f\x7f]')
_HIDDEN = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Term:
    """One thing asked for. `values` are alternatives, never empty.

    `since` is set for FIRST and LAST alone, `ranges` for HTTP (one per value), EVENTS and USERS (one), `tag` for TAG.
    """

    field: Field
    values: tuple[str, ...]
    negated: bool
    source: str  # as it was typed
    since: Since | None = None
    ranges: tuple[Range, ...] = ()
    tag: str = ""  # the key of the metadata


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

    @property
    def names_events(self) -> bool:
        """It has terms that only single events can fulfil."""
        return any(term.field in EVENT_KEYS for term in self.terms)

    def only(self, fields: Iterable[Field]) -> Query:
        """The terms about these fields."""
        return Query(tuple(term for term in self.terms if term.field in fields))

    def in_scope(self, environment: str | None, release: str | None) -> Query:
        """The search, and an environment and a release beside it; None leaves one out."""
        named = ((Field.ENVIRONMENT, environment), (Field.RELEASE, release))
        terms = (Term(field, (value,), negated=False, source="") for field, value in named if value is not None)
        return Query((*self.terms, *terms))

    def without(self, field: Field) -> str:
        """The text of this search without what it says about `field`."""
        return " ".join(term.source for term in self.terms if term.field is not field)


def parse(text: str, name: str = NAME) -> Query:
    """The terms of a search; blank text has none. `name` is the parameter that errors name.

    Raises:
        InvalidParameter: what cannot be understood, and what would be.
    """
    try:
        return _parse(text)
    except InvalidParameter as error:
        raise InvalidParameter(name, error.reason) from None


def quoted(value: str) -> str:
    """`value` as the language takes it after a colon: in quotes where it would be read as something else."""
    if value and not _UNSAFE.search(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _parse(text: str) -> Query:
    if len(text) > TEXT_CHARS_MAX:
        raise InvalidParameter(NAME, f"must be at most {TEXT_CHARS_MAX} characters")
    # As events are stored, in which half a pair of surrogates is U+FFFD.
    terms = tuple(_terms(_SURROGATE.sub("\ufffd", _HIDDEN.sub(" ", text))))
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
    field, tag, body = _key(text, start + negated)
    if field is Field.TEXT:
        value, end = _value(text, body, stops="")
        values = [value]
    else:
        values, end = _alternatives(text, body)
    kept = tuple(value for value in values if value)
    if not kept:
        if field is Field.TEXT:
            raise InvalidParameter(NAME, "an empty pair of quotes matches nothing; remove it")
        raise InvalidParameter(NAME, f"{text[start + negated : body]} needs a value, as in {EXAMPLES[field]}")
    if len(kept) > VALUES_MAX:
        raise InvalidParameter(NAME, f"{field}: takes at most {VALUES_MAX} values")
    if field is Field.IS:
        kept = tuple(parse_status(value) for value in kept)
    elif field is Field.HAS:
        kept = tuple(parse_fact(value) for value in kept)
    since = parse_since(field, kept) if field in TIME_KEYS else None
    ranges = tuple(parse_range(field, value) for value in kept) if field in NUMBER_KEYS else ()
    if len(ranges) > 1 and field not in EVENT_KEYS:
        raise InvalidParameter(NAME, f"{field}: takes one number or range")
    return Term(field, kept, negated, text[start:end], since, ranges, tag), end


def _key(text: str, start: int) -> tuple[Field, str, int]:
    """The field of the term that begins here, the key of its tag, and where its values begin (TERMS-2)."""
    if (tag := _TAG.match(text, start)) is not None:
        return Field.TAG, _ESCAPED.sub(r"\1", tag[1]) if tag[1] else tag[2], tag.end()
    match = _NAMED.match(text, start)
    if match is None:
        return Field.TEXT, "", start
    if (field := named(match[1])) is not None:
        return field, "", match.end()
    is_followed = match.end() < len(text) and not text[match.end()].isspace()
    if is_followed and match[1] == match[1].lower():
        raise unknown(match[1])
    return Field.TEXT, "", start


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


NO_QUERY = Query()
