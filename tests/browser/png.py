"""PNG files of screens, made small: at most 256 colours, a byte per pixel. Pure.

Screens are flat areas and the smoothed edges of letters. Every frequent colour is kept exactly; a rare one, always a
step of some edge, becomes its nearest neighbour. That is a third of the bytes, and no eye tells the difference.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter

COLOURS_MAX = 256
_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Colour = tuple[int, int, int]


def shrink(png: bytes) -> bytes:
    """The same picture from at most COLOURS_MAX colours. `png` is 8 bits a channel, without transparency in use."""
    width, height, rows = _pixels(png)
    counts = Counter(colour for row in rows for colour in row)
    palette = _palette(counts)
    index = {colour: _nearest(palette, colour) for colour in counts}
    lines = b"".join(b"\x00" + bytes(index[colour] for colour in row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = b"".join(bytes(colour) for colour in palette)
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _palette(counts: Counter[Colour]) -> list[Colour]:
    """The most frequent colours that are a visible step apart, as fine as COLOURS_MAX allows."""
    for step in (0, 8, 24, 64, 160, 400):
        chosen: list[Colour] = []
        for colour, _ in counts.most_common():
            if all(_distance(colour, other) > step for other in chosen) or not chosen:
                chosen.append(colour)
            if len(chosen) > COLOURS_MAX:
                break
        if len(chosen) <= COLOURS_MAX:
            return chosen
    return chosen[:COLOURS_MAX]


def _nearest(palette: list[Colour], colour: Colour) -> int:
    return min(range(len(palette)), key=lambda index: _distance(palette[index], colour))


def _distance(one: Colour, other: Colour) -> int:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2


def _pixels(png: bytes) -> tuple[int, int, list[list[Colour]]]:
    assert png.startswith(_SIGNATURE)
    at, data, width, height, channels = len(_SIGNATURE), b"", 0, 0, 0
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        body = png[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, bits, colour_type, *_, interlaced = struct.unpack(">IIBBBBB", body)
            assert (bits, interlaced) == (8, 0)
            channels = {2: 3, 6: 4}[colour_type]
        elif kind == b"IDAT":
            data += body
        at += 12 + length
    raw, size = zlib.decompress(data), width * channels
    above, rows = bytearray(size), []
    for y in range(height):
        start = y * (size + 1)
        above = _unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + size]), above, channels)
        rows.append(list(zip(*(above[channel::channels] for channel in range(3)), strict=True)))
    return width, height, rows


def _unfilter(kind: int, line: bytearray, above: bytearray, step: int) -> bytearray:
    """Undo one line's filter (PNG specification, section 9)."""
    for x in range(len(line)) if kind else ():
        left = line[x - step] if x >= step else 0
        corner = above[x - step] if x >= step else 0
        line[x] = (line[x] + _predicted(kind, left, above[x], corner)) & 0xFF
    return line


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind < 4:
        return (0, left, up, (left + up) // 2)[kind]
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))  # the first of equals, as the format wants


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
