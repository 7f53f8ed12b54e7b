"""A source map's JSON → its sources, names and mappings, in the order of the generated code. Pure.

MAP-1  Sections (ECMA-426, "index map") are laid out one after the other: a column offset moves the first line of its
    section only, and the beginning of the next section cuts what goes beyond it. Sections may hold sections,
    DEPTH_MAX deep.
MAP-2  Mappings come sorted by line and column, also where the file has a line unsorted. Of equal columns the order of
    the file stays.
MAP-3  What a mapping refers to exists: an index outside of `sources` makes it a position without a source, one outside
    of `names` a mapping without a name.
MAP-4  A map that breaks the format is refused with its reason (`MapRefused`). Work and memory are proportional to its
    size, which the caller bounds; mappings are handed on in parts, so that a line of any length needs little memory.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import urljoin

import orjson

DEPTH_MAX = 8
VERSION = 3
SECTIONS_MAX = 100_000
SOURCES_MAX = 1_000_000
VALUE_MAX = 2**31 - 1  # of a line, column or index (ECMA-426: 32 bits)
CACHED_SEGMENTS_MAX = 200_000
CACHED_CHARS_MAX = 12
PART_CHARS = 65_536
NONE = -1

_DIGITS = array("b", [NONE] * 128)
for _value, _letter in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):
    _DIGITS[_letter] = _value
_GUARD = b")]}"  # what servers put in front so that a map is no script
_COLUMN = itemgetter(0)
_BACKWARDS = re.compile(
    r"(?:^|,)[BDFHJLNPRTVXZbdfhjlnprtvxz13579/]"
)  # the sign of a column's difference is its lowest bit


class MapRefused(Exception):
    """The file is no source map, or a broken one. The text is a sentence to show."""


class MapSegment(NamedTuple):
    """One position in the generated code (`column` in UTF-16 units, from 0) and where it comes from; NONE: unknown."""

    column: int
    source: int
    line: int
    source_column: int
    name: int


@dataclass(frozen=True, slots=True)
class Source:
    """One original file. `content` is None where the map does not hold it."""

    path: str
    content: str | None
    is_ignored: bool  # the bundler says that it is a library's


@dataclass(frozen=True, slots=True)
class DecodedMap:
    """`sections` are (line, column, mappings, first source, first name) in the order of the generated code."""

    sources: tuple[Source, ...]
    names: tuple[str, ...]
    debug_id: str
    sections: tuple[_Section, ...]

    def lines(self) -> Iterator[tuple[int, list[MapSegment]]]:
        """The mappings in order, with the number of their line in the generated code, from 0 (MAP-1, MAP-2). A long
        line comes in several parts.

        Raises:
            MapRefused: a mapping breaks the format.
        """
        for number, section in enumerate(self.sections):
            following = self.sections[number + 1] if number + 1 < len(self.sections) else None
            end_line, end_column = (following.line, following.column) if following else (VALUE_MAX + 1, 0)
            for line, mappings in section.lines():
                if line > end_line:
                    break
                if line == end_line:
                    mappings = [mapping for mapping in mappings if mapping.column < end_column]
                if mappings:
                    yield line, mappings


def decode_map(body: bytes) -> DecodedMap:
    """The map in `body`. Its mappings are read by `lines`, not here.

    Raises:
        MapRefused: no JSON object, another version, or fields of other types than ECMA-426 says.
    """
    if body.startswith(_GUARD):
        body = body.partition(b"\n")[2]
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MapRefused(f"is no JSON: {error.msg}") from None
    sources: list[Source] = []
    names: list[str] = []
    sections: list[_Section] = []
    _collect(_object(document, "the map"), (0, 0), 0, sources, names, sections)
    places = [(section.line, section.column) for section in sections]
    if places != sorted(places):
        raise MapRefused("has sections out of order")
    debug_id = document.get("debugId") or document.get("debug_id") or ""
    return DecodedMap(tuple(sources), tuple(names), debug_id if isinstance(debug_id, str) else "", tuple(sections))


@dataclass(frozen=True, slots=True)
class _Section:
    line: int
    column: int
    mappings: str
    sources: tuple[int, int]  # the first one in the whole map, and how many
    names: tuple[int, int]

    def lines(self) -> Iterator[tuple[int, list[MapSegment]]]:
        reader = _Reader(self)
        for number, text in enumerate(_split(self.mappings, ";")):
            if not text:
                continue
            reader.column = self.column if number == 0 else 0
            if _BACKWARDS.search(text):
                whole = [mapping for part in _parts(text) for mapping in reader.read(part)]
                yield self.line + number, sorted(whole, key=_COLUMN)
                continue
            for part in _parts(text):
                yield self.line + number, reader.read(part)


class _Reader:
    """Adds up the differences that a section's mappings are written as."""

    def __init__(self, section: _Section) -> None:
        self.column = 0
        self._source = self._line = self._source_column = self._name = 0
        self._first_source, self._sources = section.sources
        self._first_name, self._names = section.names
        self._cache: dict[str, tuple[int, ...]] = {}  # most segments of a map repeat

    def read(self, text: str) -> list[MapSegment]:
        """The mappings of a part of a line."""
        mappings: list[MapSegment] = []
        cache, column = self._cache, self.column
        source, line, source_column = self._source, self._line, self._source_column
        for segment in text.split(","):
            deltas = cache.get(segment)
            if deltas is None:
                if not segment:
                    continue
                deltas = _decode_segment(segment)
                if len(segment) <= CACHED_CHARS_MAX and len(cache) < CACHED_SEGMENTS_MAX:
                    cache[segment] = deltas
            column += deltas[0]
            if len(deltas) == 1:
                mappings.append(MapSegment(column, NONE, NONE, NONE, NONE))
                continue
            source += deltas[1]
            line += deltas[2]
            source_column += deltas[3]
            name = self._next_name(deltas[4]) if len(deltas) == 5 else NONE
            if 0 <= source < self._sources and line >= 0 and source_column >= 0:
                mappings.append(MapSegment(column, self._first_source + source, line, source_column, name))
            else:
                mappings.append(MapSegment(column, NONE, NONE, NONE, NONE))  # MAP-3
        self.column = column
        self._source, self._line, self._source_column = source, line, source_column
        if not (0 <= column <= VALUE_MAX and line <= VALUE_MAX and source_column <= VALUE_MAX):
            raise MapRefused("has a mapping beyond 32 bits")
        return mappings

    def _next_name(self, delta: int) -> int:
        self._name += delta
        return self._first_name + self._name if 0 <= self._name < self._names else NONE


def _split(text: str, separator: str) -> Iterator[str]:
    """What `text.split(separator)` gives, one at a time: fifty megabytes of semicolons are no fifty million texts."""
    start = 0
    while (end := text.find(separator, start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _parts(line: str) -> Iterator[str]:
    """A long line in parts of about PART_CHARS, cut at commas."""
    start = 0
    while len(line) - start > PART_CHARS and (end := line.find(",", start + PART_CHARS)) >= 0:
        yield line[start:end]
        start = end + 1
    yield line[start:]


def _decode_segment(segment: str) -> tuple[int, ...]:
    """The numbers of one segment: one, four or five base 64 VLQ values."""
    values: list[int] = []
    value = shift = 0
    try:
        for letter in segment.encode("ascii"):
            digit = _DIGITS[letter]
            if digit < 0:
                raise MapRefused(f"has a mapping with the character {chr(letter)!r}")
            value += (digit & 31) << shift
            if digit & 32:
                shift += 5
                if shift > 30:
                    raise MapRefused("has a mapping beyond 32 bits")
                continue
            if value > 2 * VALUE_MAX + 1:
                raise MapRefused("has a mapping beyond 32 bits")
            values.append(-(value >> 1) if value & 1 else value >> 1)
            value = shift = 0
    except UnicodeEncodeError:
        raise MapRefused("has a mapping with characters other than ASCII") from None
    if shift or len(values) not in (1, 4, 5):
        raise MapRefused(f"has a mapping of {len(values)} numbers: {segment[:20]!r}")
    return tuple(values)


def _collect(
    document: dict[str, Any],
    offset: tuple[int, int],
    depth: int,
    sources: list[Source],
    names: list[str],
    sections: list[_Section],
) -> None:
    """Append what a map or a section holds, depth first (MAP-1)."""
    if document.get("version") != VERSION:
        raise MapRefused("is not version 3")
    if "sections" not in document:
        _collect_flat(document, offset, sources, names, sections)
        return
    if depth >= DEPTH_MAX:
        raise MapRefused(f"has sections more than {DEPTH_MAX} deep")
    for entry in _list(document["sections"], "sections"):
        inside = _object(entry, "a section")
        at = _object(inside.get("offset"), "the offset of a section")
        line, column = _count(at.get("line"), "a line"), _count(at.get("column"), "a column")
        if len(sections) >= SECTIONS_MAX:
            raise MapRefused(f"has more than {SECTIONS_MAX:,} sections")
        placed = (offset[0] + line, column + (offset[1] if line == 0 else 0))
        _collect(_object(inside.get("map"), "the map of a section"), placed, depth + 1, sources, names, sections)


def _collect_flat(
    document: dict[str, Any],
    offset: tuple[int, int],
    sources: list[Source],
    names: list[str],
    sections: list[_Section],
) -> None:
    mappings = document.get("mappings")
    if not isinstance(mappings, str):
        raise MapRefused("has no text of mappings")
    own_names = [name if isinstance(name, str) else "" for name in _optional_list(document, "names")]
    own_sources = _sources(document)
    if len(sources) + len(own_sources) > SOURCES_MAX:
        raise MapRefused(f"has more than {SOURCES_MAX:,} sources")
    first = (len(sources), len(own_sources)), (len(names), len(own_names))
    sections.append(_Section(*offset, mappings, *first))
    sources += own_sources
    names += own_names


def _sources(document: dict[str, Any]) -> list[Source]:
    paths = _optional_list(document, "sources")
    contents = _optional_list(document, "sourcesContent")
    ignored: set[int] = set()
    for field in ("ignoreList", "x_google_ignoreList"):
        ignored.update(index for index in _optional_list(document, field) if isinstance(index, int))
    root = document.get("sourceRoot")
    return [
        Source(_resolve(root, path), _content(contents, index), index in ignored) for index, path in enumerate(paths)
    ]


def _content(contents: Sequence[Any], index: int) -> str | None:
    content = contents[index] if index < len(contents) else None
    return content if isinstance(content, str) else None


def _resolve(root: Any, path: Any) -> str:
    """A source's path below `sourceRoot`; a missing path is `""`."""
    if not isinstance(path, str):
        return ""
    if not isinstance(root, str) or not root or "://" in path or path.startswith("/"):
        return path
    base = root if root.endswith("/") else f"{root}/"
    return urljoin(base, path) if base.startswith(("http://", "https://", "file://")) else base + path


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MapRefused(f"{name} is no object")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise MapRefused(f"{name} is no list")
    return value


def _optional_list(document: dict[str, Any], name: str) -> list[Any]:
    value = document.get(name)
    return [] if value is None else _list(value, name)


def _count(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value <= VALUE_MAX:
        raise MapRefused(f"{name} of a section's offset is no number from 0")
    return value
