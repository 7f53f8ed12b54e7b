"""Whether one event fulfils the terms of a search. Pure; the terms about its issue are answered by SQL elsewhere.

MATCH-1  Ids, tags, environments and releases are compared exactly. With a `*`, which stands for any text, and for
    sources, routes, levels and messages, upper and lower case are the same. Work grows with the text's length alone.
MATCH-2  Parts that are cheap to read are looked at first: the dims, what is searched, then the unpacked rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from bloop.issues.search.keys import EVENT_KEYS, SHARED_KEYS, TAG_PREFIX, Field
from bloop.issues.search.terms import Query, Term
from bloop.records.event import Event
from bloop.records.event_record import Dims, SearchFields, level_name, shown_id, tags_of

_DIMS = frozenset((Field.ENVIRONMENT, Field.RELEASE, Field.SOURCE, Field.ROUTE))
_ANY_CASE = frozenset((Field.SOURCE, Field.ROUTE, Field.LEVEL))
# Attributes of SearchFields and of Event alike.
_IDS = {
    Field.REQUEST: "request_id",
    Field.USER: "user_id_hash",
    Field.DEVICE: "device_id_hash",
    Field.EVENT: "event_id",
}
_QUICK_FACTS = {field.value: attribute for field, attribute in _IDS.items()} | {"http": "http_status"}
_KEYS = EVENT_KEYS | SHARED_KEYS


@dataclass(frozen=True, slots=True)
class EventTerms:
    """The terms of a search that are about single events, by what has to be read for them (MATCH-2)."""

    dims: tuple[Term, ...]
    search: tuple[Term, ...]
    rest: tuple[Term, ...]

    @classmethod
    def of(cls, query: Query) -> EventTerms:
        terms = [term for term in query.terms if term.field in _KEYS]
        parts = {id(term): _part_of(term) for term in terms}
        dims, search, rest = (tuple(term for term in terms if parts[id(term)] == part) for part in ("d", "s", "r"))
        return cls(dims, search, rest)

    def fit_dims(self, dims: Dims) -> bool:
        return all(_dims_fit(term, dims) is not term.negated for term in self.dims)

    def fit_search(self, fields: SearchFields) -> bool:
        """Raises: UnreadableRecord: the level is of a later release."""
        return all(_search_fits(term, fields) is not term.negated for term in self.search)

    def fit_rest(self, event: Event) -> bool:
        return all(_rest_fits(term, event) is not term.negated for term in self.rest)


def fits(pattern: str, text: str) -> bool:
    """Whether `text` is what `pattern` says: the same, or with `*` for any text, where case does not matter."""
    if "*" not in pattern:
        return pattern == text
    first, *middle, last = pattern.lower().split("*")
    text = text.lower()
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def _part_of(term: Term) -> str:
    if term.field in _DIMS:
        return "d"
    if term.field in _IDS or term.field in (Field.HTTP, Field.LEVEL):
        return "s"
    if term.field is Field.HAS and _QUICK_FACTS.keys() >= set(term.values):
        return "s"
    return "r"


def _dims_fit(term: Term, dims: Dims) -> bool:
    text = {
        Field.ENVIRONMENT: dims.environment,
        Field.RELEASE: dims.release,
        Field.SOURCE: dims.source,
        Field.ROUTE: dims.route or "",
    }[term.field]
    return any_fits(term, text)


def _search_fits(term: Term, fields: SearchFields) -> bool:
    if term.field is Field.HTTP:
        return fields.http_status is not None and any(fields.http_status in part for part in term.ranges)
    if term.field is Field.LEVEL:
        return any_fits(term, level_name(fields.level))
    if term.field is Field.HAS:
        return any(getattr(fields, _QUICK_FACTS[fact]) is not None for fact in term.values)
    value = shown_id(getattr(fields, _IDS[term.field]))
    return value is not None and any_fits(term, value)


def _rest_fits(term: Term, event: Event) -> bool:
    if term.field is Field.MESSAGE:
        message = event.message.lower()
        return any(fits(v, message) if "*" in v else v.lower() in message for v in term.values)
    if term.field is Field.TAG:
        return any(fits(value, text) for text in tags_of(event).get(term.tag, ()) for value in term.values)
    return any(_has(value, event) for value in term.values)


def any_fits(term: Term, text: str) -> bool:
    """Whether `text` is one of the term's values (MATCH-1)."""
    if term.field in _ANY_CASE:
        lower = text.lower()
        return any(fits(value.lower(), lower) for value in term.values)
    return any(fits(value, text) for value in term.values)


def _has(fact: str, event: Event) -> bool:
    """A value of `has:`."""
    if fact.startswith(TAG_PREFIX):
        return fact[len(TAG_PREFIX) :] in tags_of(event)
    if fact == "stack":
        return event.stack is not None or (event.parts is not None and bool(event.parts.frames))
    if fact == "metadata":
        return event.metadata is not None or (event.parts is not None and bool(event.parts.tags))
    return getattr(event, _QUICK_FACTS.get(fact, fact)) is not None
