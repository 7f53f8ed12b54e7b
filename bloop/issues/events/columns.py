"""The columns of a block of events: what a search needs to know of a few thousand of them, without their rows. Pure.

    FINGERPRINTS DIMS   4 bytes an event: ids of `fingerprints` and `event_dims` (0: no row, ask the event)
    LEVELS              1 byte: the number of its name and 1, LEVEL_OTHER where the name has none
    HTTP                2 bytes: the status and 1, 0 where there is none
    REQUESTS USERS      3 bytes: a hash, 0 where there is none
    DEVICES EVENT_IDS   the same; left out where no event of the block has any
    TAG_HASHES          a byte: whether an event has as many as are hashed; then every hash of the block, once
    TAGS                a byte each: how many hashes; then the hashes of all events, 3 bytes each
    TAG_KEYS            JSON: the lists of keys that projects had indexed; left out where none had a list
    OFFSETS             4 bytes: id minus the block's first; left out where no id is missing

All numbers are little-endian, events are in the order of their ids. The usual event, with a request, a user and five
tags, takes 38 bytes on disk and 2.5 µs of CPU: reading its row, making the columns, and storing them.

COLUMNS-1  A column names every event that has the value, and seldom another: a hit by hash is checked with the event.
COLUMNS-2  An event with as many hashes as an event may have can have further tags, so it may be a hit of any. An event
    of a project that lists its keys has, beside the hashes of their values, one that stands for the list: by that it
    may be a hit of any key that is not on it.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import accumulate
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson

from bloop.base.errors import UnreadableRecord
from bloop.issues.search.values import Range
from bloop.records.event_record import (
    METADATA_HASH_BYTES,
    METADATA_HASHES_MAX,
    SearchFields,
    id_hash,
    metadata_hash,
    search_of,
    split_dims,
)

HASH_BYTES = METADATA_HASH_BYTES
LEVEL_OTHER = 0xFF
HTTP_MAX = 0xFFFF  # in the column: statuses of HTTP_MAX - 1 and HTTP_MAX look the same, and mean nothing in HTTP

LISTED_HASHES_MAX = 64  # of one event, in a column that counts them in a byte
NOTHING_LISTED: Mapping[int, bytes] = MappingProxyType({})

_NONE = bytes(HASH_BYTES)
_UNREADABLE = SearchFields(0, None, None, None, None)


class Column(IntEnum):
    """Numbers are stored: append only, and list new ones in the trigger that deletes them."""

    FINGERPRINTS = 1
    DIMS = 2
    HTTP = 3
    REQUESTS = 4
    USERS = 5
    DEVICES = 6
    EVENT_IDS = 7
    TAGS = 8
    LEVELS = 9
    OFFSETS = 10
    TAG_KEYS = 11
    TAG_HASHES = 12


_ALWAYS = frozenset((Column.FINGERPRINTS, Column.DIMS))


# An event as the columns are made from it: id, fingerprint id, received at, dims id, body, which begins with the dims
# where their id is 0. A plain tuple: thousands are read at once.
BlockRow: TypeAlias = tuple[int, int, int, int, bytes]


def make_columns(
    rows: Sequence[BlockRow],
    first_id: int,
    last_id: int,
    *,
    listed: Mapping[int, bytes] = NOTHING_LISTED,
    lists: Sequence[tuple[str, ...]] = (),
) -> dict[Column, bytes]:
    """The columns of the events of a range of ids, of which there is at least one, in order.

    `listed` has the hashes of tags by event id, for events of projects that list their keys (`listed_hashes`); `lists`
    are those lists.
    """
    ids, fingerprint_ids, _, dims_ids, bodies = zip(*rows, strict=True)
    fields = [_fields(body, dims_id) for body, dims_id in zip(bodies, dims_ids, strict=True)]
    tags = [listed.get(event_id, event.metadata_hashes) for event_id, event in zip(ids, fields, strict=True)]
    columns = {
        Column.FINGERPRINTS: _packed("I", fingerprint_ids),
        Column.DIMS: _packed("I", dims_ids),
        Column.LEVELS: bytes([level_code(event.level) for event in fields]),
        Column.HTTP: _packed("H", [http_code(event.http_status) for event in fields]),
        Column.REQUESTS: _hashes([event.request_id for event in fields]),
        Column.USERS: _hashes([event.user_id_hash for event in fields]),
        Column.DEVICES: _hashes([event.device_id_hash for event in fields]),
        Column.EVENT_IDS: _hashes([event.event_id for event in fields]),
        Column.TAGS: bytes([len(hashes) // HASH_BYTES for hashes in tags]) + b"".join(tags),
    }
    if columns[Column.TAGS].strip(b"\0"):
        columns[Column.TAG_HASHES] = _distinct(columns[Column.TAGS], len(rows))
    if lists:
        columns[Column.TAG_KEYS] = orjson.dumps(lists)
    if last_id - first_id + 1 != len(rows):
        columns[Column.OFFSETS] = _packed("I", [event_id - first_id for event_id in ids])
    return {column: data for column, data in columns.items() if data.strip(b"\0") or column in _ALWAYS}


def listed_hashes(keys: Sequence[str], tags: Mapping[str, Sequence[str]]) -> bytes:
    """The hashes of an event whose project lists its keys: one for the list, then those of the values there are."""
    hashes = [metadata_hash(key, text) for key in keys for text in tags.get(key, ())]
    return b"".join((list_hash(keys), *hashes[: LISTED_HASHES_MAX - 1]))


def list_hash(keys: Sequence[str]) -> bytes:
    """The hash that stands for a list of keys."""
    return metadata_hash("", orjson.dumps(list(keys)).decode())


def level_code(level: str | int) -> int:
    """How the column LEVELS writes a level of SearchFields."""
    return level + 1 if isinstance(level, int) and level < LEVEL_OTHER - 1 else LEVEL_OTHER


def http_code(status: int | None) -> int:
    """How the column HTTP writes a status."""
    return 0 if status is None else min(status + 1, HTTP_MAX)


def hash_positions(data: bytes, hashes: Iterable[bytes]) -> list[int]:
    """Where a column of hashes has any of these, ascending."""
    return sorted({place // HASH_BYTES for needle in hashes for place in _places(data, needle, HASH_BYTES)})


def level_positions(data: bytes, codes: Container[int]) -> list[int]:
    """Where the column LEVELS has any of these codes, ascending."""
    wanted = {code for code in set(data) if code in codes}
    return [position for position, code in enumerate(data) if code in wanted] if wanted else []


def known_positions(data: bytes, count: int) -> list[int]:
    """Which of `count` events have a value, in a column of as many bytes for each, ascending."""
    width = len(data) // count
    none = bytes(width)
    return [place // width for place in range(0, len(data), width) if data[place : place + width] != none]


def http_positions(data: bytes, ranges: Sequence[Range]) -> list[int]:
    """Where the column HTTP has a status in any of the ranges, ascending."""
    if all(low == high for low, high in ranges):
        needles = [_code_bytes(http_code(low)) for low, _ in ranges if low <= HTTP_MAX]
        return sorted({place // 2 for needle in needles for place in _places(data, needle, 2)})
    codes = unpacked("H", data)
    wanted = {code for code in set(codes) if code and any(_may_be_in(code, part) for part in ranges)}
    if not wanted:
        return []
    return [position for position, code in enumerate(codes) if code in wanted]


def http_tester(data: bytes, ranges: Sequence[Range]) -> Callable[[int], bool]:
    """Whether the event at a position has a status in any of the ranges."""
    codes = unpacked("H", data)
    return lambda position: codes[position] > 0 and any(_may_be_in(codes[position], part) for part in ranges)


def is_http_exact(statuses: Range) -> bool:
    """Whether the column tells the statuses of the range from all others."""
    return (HTTP_MAX in statuses) == (HTTP_MAX - 1 in statuses)


def has_tag(data: bytes, hashes: Iterable[bytes]) -> bool:
    """Whether an event of the block has a tag with any of these hashes, or may have; `data` is TAG_HASHES."""
    return data[0] == 1 or any(True for needle in hashes for _ in _places(data[1:], needle, HASH_BYTES))


def tag_positions(data: bytes, hashes: Iterable[bytes], count: int) -> list[int]:
    """Which of `count` events have a tag with any of these hashes, or may have (COLUMNS-2), ascending."""
    counts = data[:count]
    places = [place for needle in hashes for place in _places(data[count:], needle, HASH_BYTES)]
    positions: set[int] = set()
    if METADATA_HASHES_MAX in counts:
        positions.update(position for position, number in enumerate(counts) if number >= METADATA_HASHES_MAX)
    if places:
        ends = list(accumulate(counts))
        positions.update(bisect_right(ends, place // HASH_BYTES) for place in places)
    return sorted(positions)


def unpacked(code: str, data: bytes) -> array[int]:
    """The numbers of a column; `code` is that of `array`."""
    numbers = array(code, data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _fields(body: bytes, dims_id: int) -> SearchFields:
    try:
        return search_of(body if dims_id else split_dims(body)[1])
    except UnreadableRecord:  # of a release to come: no search can read it
        return _UNREADABLE


def _distinct(tags: bytes, count: int) -> bytes:
    """TAG_HASHES of the column TAGS of `count` events."""
    hashes = {tags[place : place + HASH_BYTES] for place in range(count, len(tags), HASH_BYTES)}
    return bytes([max(tags[:count]) >= METADATA_HASHES_MAX]) + b"".join(sorted(hashes))


def _may_be_in(code: int, statuses: Range) -> bool:
    return code - 1 in statuses or (code == HTTP_MAX and HTTP_MAX in statuses)


def _hashes(values: Iterable[Any]) -> bytes:
    return b"".join([_NONE if value is None else id_hash(value) for value in values])


def _places(data: bytes, needle: bytes, width: int) -> Iterable[int]:
    """Where `needle` begins at a multiple of `width`."""
    place = data.find(needle)
    while place >= 0:
        if place % width == 0:
            yield place
        place = data.find(needle, place + 1)


def _code_bytes(code: int) -> bytes:
    return code.to_bytes(2, "little")


def _packed(code: str, numbers: Iterable[int]) -> bytes:
    data = array(code, numbers)
    if sys.byteorder == "big":
        data.byteswap()
    return data.tobytes()
