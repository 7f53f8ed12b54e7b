"""Events → their most frequent values, tag by tag. Pure.

TAGS-1  Shares are of the events that were looked at. The values shown, `other` and the events without the tag add up to
    them, unless an event has several values of one tag.
TAGS-2  A tag of metadata is a key at the top of it whose value is text, a number or a truth value, or a list of those.
    It is searched for as `tag.KEY:`.
TAGS-3  Bounded: of each event the first KEYS_PER_EVENT_MAX keys and VALUES_PER_KEY_MAX values of each, of all events
    KEYS_MAX keys. TAGS_MAX tags are returned; longer values are cut.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from bloop.issues.events.read import EventRow

TAGS_MAX = 50
KEYS_MAX = 200
KEYS_PER_EVENT_MAX = 40  # of metadata
VALUES_PER_KEY_MAX = 16
KEY_CHARS_MAX = 100
VALUE_CHARS_MAX = 200

# Tags that every event may have, with the key of the search language.
FIELD_VALUES: tuple[tuple[str, Callable[[EventRow], str | None]], ...] = (
    ("env", lambda event: event.environment),
    ("release", lambda event: event.release),
    ("level", lambda event: event.level),
    ("http", lambda event: None if event.http_status is None else str(event.http_status)),
    ("route", lambda event: event.route),
    ("source", lambda event: event.source),
)
FIELDS = frozenset(key for key, _ in FIELD_VALUES)
TAG_PREFIX = "tag."


class TagValue(NamedTuple):
    """One value; `is_cut`: what stands here is the beginning of it, and several may begin like that."""

    value: str
    event_count: int
    is_cut: bool


class _Counted(NamedTuple):
    key: str
    event_count: int
    values: Counter[str]


class TagSummary(NamedTuple):
    """One tag of the events looked at. `key` is what it is searched by: `release`, `tag.plan`."""

    key: str
    event_count: int  # that have it
    distinct_count: int
    values: tuple[TagValue, ...]  # the most frequent, largest first
    other_count: int  # events with a value that is not shown

    @property
    def name(self) -> str:
        return self.key.removeprefix(TAG_PREFIX)


def summarise(events: Sequence[EventRow], *, values_max: int) -> list[TagSummary]:
    """The tags of these events: fields first, then keys of metadata by the number of events that have them."""
    fields = [_counted(key, Counter(filter(None, map(value_of, events)))) for key, value_of in FIELD_VALUES]
    counts: dict[str, Counter[str]] = {}
    having: Counter[str] = Counter()
    for event in events:
        for key, values in _metadata_tags(event):
            if key not in counts and len(counts) >= KEYS_MAX:
                continue
            having[key] += 1
            counts.setdefault(key, Counter()).update(values)
    metadata = [_Counted(f"{TAG_PREFIX}{key}", having[key], _cut_values(counts[key])) for key in counts]
    metadata.sort(key=lambda tag: (-tag.event_count, tag.key))
    found = [tag for tag in fields if tag.event_count] + metadata
    return [_summary(tag, values_max) for tag in found[:TAGS_MAX]]


def tag_values(metadata: Any) -> Iterator[tuple[str, list[str]]]:
    """The keys of metadata that are tags, each with its values as text (TAGS-2)."""
    if not isinstance(metadata, dict):
        return
    for key, value in list(metadata.items())[:KEYS_PER_EVENT_MAX]:
        if isinstance(value, str):
            texts = [value] if value else []
        else:
            items = value[:VALUES_PER_KEY_MAX] if isinstance(value, list) else [value]
            texts = [_text(item) for item in items if _is_plain(item)]
        if texts and len(key) <= KEY_CHARS_MAX:
            yield key, texts


def _metadata_tags(event: EventRow) -> Iterator[tuple[str, Iterable[str]]]:
    """The keys of one event, each with its values once."""
    sent = event.parts.tags if event.parts is not None else None
    found = dict(tag_values(_parsed(event.metadata)))
    for key, value in list((sent or {}).items())[:KEYS_PER_EVENT_MAX]:
        found[key] = [*found.get(key, ()), value]
    for key, values in found.items():
        yield key, values if len(values) == 1 else set(values)


def _counted(key: str, counts: Counter[str]) -> _Counted:
    return _Counted(key, counts.total(), _cut_values(counts))


def _cut_values(counts: Counter[str]) -> Counter[str]:
    """The same with long values cut; those that begin alike are counted together."""
    if all(len(value) <= VALUE_CHARS_MAX for value in counts):
        return counts
    cut: Counter[str] = Counter()
    for value, count in counts.items():
        cut[value if len(value) <= VALUE_CHARS_MAX else value[:VALUE_CHARS_MAX] + "…"] += count
    return cut


def _summary(tag: _Counted, values_max: int) -> TagSummary:
    shown = heapq.nsmallest(values_max, tag.values.items(), key=lambda pair: (-pair[1], pair[0]))
    values = tuple(TagValue(value, count, len(value) > VALUE_CHARS_MAX) for value, count in shown)
    other = tag.values.total() - sum(value.event_count for value in values)
    return TagSummary(tag.key, tag.event_count, len(tag.values), values, other)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parsed(metadata: str | None) -> Any:
    if not metadata or not metadata.startswith("{"):
        return None
    try:
        return orjson.loads(metadata)
    except orjson.JSONDecodeError:  # stored by a version that checked less
        return None
