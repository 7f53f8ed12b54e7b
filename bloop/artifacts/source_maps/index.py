"""The index of one source map: mappings in small compressed blocks, in which a lookup reads one.

    index = make_index(decode_map(body))          # in the child process that indexes, once
    block = index.blocks[index.block_of(line, column)]
    original = find(block, line, column)

INDEX-1  A lookup gives what `originalPositionFor` of the reference implementation gives: the last mapping at or before
    the column, on the same line; of several at the very column, the first.
INDEX-2  A block holds at most BLOCK_MAPPINGS mappings, so a lookup costs the same in a map of any size.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bloop.artifacts.source_maps.decode import NONE, DecodedMap

BLOCK_MAPPINGS = 1024
LEVEL = 6
_HEAD = struct.Struct("<I")
_COLUMNS = 6  # line, column, source, source line, source column, name: an array of each


class Original(NamedTuple):
    """A position in an original file: lines and columns from 0, columns in UTF-16 units; `name` NONE without one."""

    source: int
    line: int
    column: int
    name: int


@dataclass(frozen=True, slots=True)
class MapIndex:
    """`starts` are the first (line, column) of each block, in order."""

    starts: tuple[tuple[int, int], ...]
    blocks: tuple[bytes, ...]
    mappings: int

    def block_of(self, line: int, column: int) -> int:
        """The block that a position's mapping is in, if it is in any; NONE before the first."""
        return find_block(self.starts, line, column)


def make_index(decoded: DecodedMap) -> MapIndex:
    """The index of a map.

    Raises:
        MapRefused: a mapping breaks the format.
    """
    starts, blocks = [], []
    count = 0
    for start, block, mappings in iterate_blocks(decoded):
        starts.append(start)
        blocks.append(block)
        count += mappings
    return MapIndex(tuple(starts), tuple(blocks), count)


def iterate_blocks(decoded: DecodedMap) -> Iterator[tuple[tuple[int, int], bytes, int]]:
    """(first position, block, mappings in it), one block at a time: a map of 50 MB needs no memory for its index.

    Mappings at one position are never in two blocks (INDEX-1).
    """
    arrays = _arrays()
    for line, mappings in decoded.lines():
        for mapping in mappings:
            if len(arrays[0]) >= BLOCK_MAPPINGS and (line, mapping.column) != (arrays[0][-1], arrays[1][-1]):
                yield (arrays[0][0], arrays[1][0]), _pack(arrays), len(arrays[0])
                arrays = _arrays()
            arrays[0].append(line)
            for values, value in zip(arrays[1:], mapping, strict=True):
                values.append(value)
    if arrays[0]:
        yield (arrays[0][0], arrays[1][0]), _pack(arrays), len(arrays[0])


def find_block(starts: tuple[tuple[int, int], ...], line: int, column: int) -> int:
    """The last block that begins at or before a position; NONE when all begin later."""
    return bisect_right(starts, (line, column)) - 1


def find(block: bytes, line: int, column: int) -> Original | None:
    """The original position of a generated one, both from 0; None where the map says nothing (INDEX-1)."""
    body = zlib.decompress(block)
    (count,) = _HEAD.unpack_from(body)
    lines, columns, sources, source_lines, source_columns, names = (
        memoryview(body)[_HEAD.size + n * 4 * count : _HEAD.size + (n + 1) * 4 * count].cast("i")
        for n in range(_COLUMNS)
    )
    first, end = bisect_left(lines, line), bisect_right(lines, line)
    at = bisect_left(columns, column, first, end)
    if at == end or columns[at] != column:
        at -= 1
    if at < first or sources[at] == NONE:
        return None
    return Original(sources[at], source_lines[at], source_columns[at], names[at])


def _arrays() -> list[array[int]]:
    return [array("i") for _ in range(_COLUMNS)]


def _pack(arrays: list[array[int]]) -> bytes:
    return zlib.compress(_HEAD.pack(len(arrays[0])) + b"".join(values.tobytes() for values in arrays), LEVEL)
