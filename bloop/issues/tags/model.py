"""Events → their most frequent values, tag by tag. Pure.

TAGS-1  Shares are of the events that were looked at. The values shown, `other` and the events without the tag add up to
    them, unless an event has several values of one tag.
TAGS-2  A tag of metadata is a key at the top of it whose value is text, a number or a truth value, or a list of those.
    It is searched for as `tag.KEY:`.
TAGS-3  Bounded: of each event the first KEYS_PER_EVENT_MAX keys and VALUES_PER_KEY_MAX values of each, of all events
    KEYS_MAX keys, of which TAGS_MAX are returned. Longer values are cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
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
FIELDS = ("env", "release", "level", "http", "route", "source")
TAG_PREFIX = "tag."


class TagValue(NamedTuple):
    """One value; `is_cut`: what stands here is the beginning of it, and several may begin like that."""

    value: str
    event_count: int
    is_cut: bool


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
    counts: dict[str, Counter[str]] = {}
    having: Counter[str] = Counter()
    for event in events:
        for key, values in _tags(event):
            if key not in counts and len(counts) >= KEYS_MAX:
                continue
            having[key] += 1
            counts.setdefault(key, Counter()).update(values)
    fields = [key for key in FIELDS if key in counts]
    metadata = sorted((key for key in counts if key not in FIELDS), key=lambda key: (-having[key], key))
    return [_summary(key, counts[key], having[key], values_max) for key in (*fields, *metadata)[:TAGS_MAX]]


def tag_values(metadata: Any) -> Iterator[tuple[str, list[str]]]:
    """The keys of metadata that are tags, each with its values as text (TAGS-2)."""
    if not isinstance(metadata, dict):
        return
    for key, value in list(metadata.items())[:KEYS_PER_EVENT_MAX]:
        items = value[:VALUES_PER_KEY_MAX] if isinstance(value, list) else [value]
        texts = [_text(item) for item in items if _is_plain(item)]
        if texts and len(key) <= KEY_CHARS_MAX:
            yield str(key), texts


def _tags(event: EventRow) -> Iterator[tuple[str, set[str]]]:
    """The tags of one event. Values are cut here, so that what is counted is bounded."""
    fields = (
        event.environment,
        event.release,
        event.level,
        None if event.http_status is None else str(event.http_status),
        event.route,
        event.source,
    )
    for key, value in zip(FIELDS, fields, strict=True):
        if value:
            yield key, {_cut(value)}
    found: dict[str, set[str]] = {}
    if event.parts is not None and event.parts.tags:
        found = {key: {_cut(value)} for key, value in list(event.parts.tags.items())[:KEYS_PER_EVENT_MAX]}
    for key, values in tag_values(_parsed(event.metadata)):
        found.setdefault(key, set()).update(map(_cut, values))
    for key, cut_values in found.items():
        yield f"{TAG_PREFIX}{key}", cut_values


def _summary(key: str, counts: Counter[str], event_count: int, values_max: int) -> TagSummary:
    shown = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:values_max]
    values = tuple(TagValue(value, count, len(value) > VALUE_CHARS_MAX) for value, count in shown)
    other = counts.total() - sum(value.event_count for value in values)
    return TagSummary(key, event_count, len(counts), values, other)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cut(value: str) -> str:
    return value if len(value) <= VALUE_CHARS_MAX else value[:VALUE_CHARS_MAX] + "…"


def _parsed(metadata: str | None) -> Any:
    if not metadata or not metadata.startswith("{"):
        return None
    try:
        return orjson.loads(metadata)
    except orjson.JSONDecodeError:  # stored by a version that checked less
        return None
