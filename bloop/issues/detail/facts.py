"""What an event says of itself → lines that filter by it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from bloop.base.errors import InvalidEvent
from bloop.base.json_body import decode_exactly
from bloop.issues.detail.contexts import Fact, TagList, TagShare, TagView
from bloop.issues.events.read import EventRow
from bloop.issues.search.keys import Field
from bloop.issues.search.terms import TEXT_CHARS_MAX, quoted
from bloop.issues.tags.model import FIELDS, TAG_PREFIX, TAGS_MAX, TagSummary, tag_values

_RANK_UNIQUE = 2
_UNIQUE_MIN = 9  # values, below which few events differ by chance
FACTS_MAX = 60  # keys of metadata shown as a table; the raw JSON has all of them
VALUE_CHARS_MAX = 600
TAG_LABELS = {
    "env": "Environment",
    "release": "Release",
    "level": "Level",
    "http": "HTTP status",
    "route": "Route",
    "source": "Source",
}
_PLAIN_KEY = re.compile(r'[^\s:",]+')

HrefOf = Callable[[str], str]  # a search → the events of the issue that it finds


def term(key: str, value: str) -> str:
    """`key:value` as the search language takes it; empty where it is too long for a search."""
    text = f"{_key(key)}:{quoted(value)}"
    return text if value and len(text) <= TEXT_CHARS_MAX else ""


def event_facts(event: EventRow, href_of: HrefOf) -> Iterator[Fact]:
    """Ids first, then where and what ran, then who; absent values are left out."""
    yield Fact("Event", str(event.id), mono=True)
    yield Fact("Happened", at_ms=event.timestamp_ms)
    yield Fact("Received", at_ms=event.received_at_ms)
    lines = (
        ("Level", event.level, False, Field.LEVEL),
        ("Environment", event.environment, False, Field.ENVIRONMENT),
        ("Release", event.release, True, Field.RELEASE),
        ("App version", event.app_version, True, None),
        ("Build", event.build_number, True, None),
        ("Source", event.source, False, Field.SOURCE),
        ("Route", event.route, True, Field.ROUTE),
        ("Screen", event.screen, False, None),
        ("HTTP status", None if event.http_status is None else str(event.http_status), True, Field.HTTP),
        ("Request", event.request_id, True, Field.REQUEST),
        ("User", event.user_id_hash, True, Field.USER),
        ("Device", event.device_id_hash, True, Field.DEVICE),
        ("Client's event id", event.event_id, True, Field.EVENT),
    )
    for label, value, mono, field in lines:
        if value:
            yield Fact(label, value, mono, href=_href(term(field, value), href_of) if field else "")


def metadata_of(event: EventRow) -> Any:
    """The parsed metadata; None when there is none."""
    if not event.metadata:
        return None
    try:
        return decode_exactly(event.metadata.encode())
    except InvalidEvent:
        return event.metadata  # stored by a version that checked less; shown as it is


def metadata_facts(metadata: Any, href_of: HrefOf) -> Iterator[Fact]:
    """One line per key of an object, values that are not text as compact JSON; nothing for other JSON."""
    if not isinstance(metadata, dict):
        return
    searched = {key: values[0] for key, values in tag_values(metadata) if len(values) == 1}
    for key, value in list(metadata.items())[:FACTS_MAX]:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        found = term(f"{TAG_PREFIX}{key}", searched[key]) if key in searched else ""
        shown = text if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "…"
        yield Fact(str(key), shown, mono=True, href=_href(found, href_of))


def tag_list(
    summaries: Sequence[TagSummary], events: int, href_of: HrefOf, *, is_complete: bool, tags_max: int, href: str
) -> TagList:
    """The tags of `events` events: those that divide them first, then those that all share, at last those that differ
    in nearly every event and so say nothing of the issue. Where not all are shown, the last are left out."""
    ordered = sorted(summaries, key=lambda tag: _rank(tag, events))
    kept = ordered if tags_max >= TAGS_MAX else [tag for tag in ordered if _rank(tag, events) < _RANK_UNIQUE]
    shown = [_tag_view(summary, events, href_of) for summary in kept[:tags_max]]
    return TagList(events, is_complete, tuple(shown), len(ordered) - len(shown), href)


def _rank(tag: TagSummary, events: int) -> int:
    if tag.key not in FIELDS and tag.distinct_count > max(_UNIQUE_MIN, events // 2):
        return _RANK_UNIQUE
    return 0 if tag.distinct_count > 1 else 1


def _tag_view(summary: TagSummary, events: int, href_of: HrefOf) -> TagView:
    values = tuple(
        TagShare(
            value.value,
            value.event_count / events,
            "" if value.is_cut else _href(term(summary.key, value.value), href_of),
        )
        for value in summary.values
    )
    name = TAG_LABELS.get(summary.key, summary.name)
    return TagView(name, summary.distinct_count, values, summary.other_count / events)


def _key(key: str) -> str:
    """`tag.KEY` with its KEY in quotes where it needs them."""
    if not key.startswith(TAG_PREFIX):
        return key
    name = key.removeprefix(TAG_PREFIX)
    if _PLAIN_KEY.fullmatch(name):
        return key
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{TAG_PREFIX}"{escaped}"'


def _href(search: str, href_of: HrefOf) -> str:
    return href_of(search) if search else ""
