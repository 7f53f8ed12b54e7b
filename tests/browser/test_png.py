from __future__ import annotations

import random
import struct
import zlib

import pytest

from tests.browser.png import COLOURS_MAX, Colour, _chunk, _pixels, shrink


def picture(rows: list[list[Colour]], kind: int = 0) -> bytes:
    """RGB, every line written with filter 0, or claimed to be of another kind."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 2, 0, 0, 0)
    lines = b"".join(bytes([kind]) + bytes(c for colour in row for c in colour) for row in rows)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def colours_of(png: bytes) -> list[Colour]:
    at = png.index(b"PLTE")
    length = struct.unpack_from(">I", png, at - 4)[0]
    body = png[at + 4 : at + 4 + length]
    return [(body[i], body[i + 1], body[i + 2]) for i in range(0, length, 3)]


def test_few_colours_stay_exactly_what_they_are() -> None:
    rows = [[(1, 2, 3), (250, 250, 250)], [(1, 2, 3), (0, 0, 0)]]

    assert set(colours_of(shrink(picture(rows)))) == {(1, 2, 3), (250, 250, 250), (0, 0, 0)}


def test_many_colours_become_few_and_the_frequent_ones_stay() -> None:
    rng = random.Random(7)
    noise = [[(rng.randrange(256), rng.randrange(256), rng.randrange(256)) for _ in range(60)] for _ in range(60)]
    ground = [[(20, 32, 30)] * 60 for _ in range(60)]

    made = colours_of(shrink(picture(noise + ground)))

    assert len(made) <= COLOURS_MAX
    assert (20, 32, 30) in made


@pytest.mark.parametrize(
    ("kind", "second"),
    [(0, (1, 1, 1)), (1, (11, 11, 11)), (2, (1, 1, 1)), (3, (6, 6, 6)), (4, (11, 11, 11))],
)
def test_every_filter_is_undone(kind: int, second: Colour) -> None:
    """A line of 10s and 1s under nothing, by the rules of each filter."""
    _, _, rows = _pixels(picture([[(10, 10, 10), (1, 1, 1)]], kind))

    assert rows == [[(10, 10, 10), second]]
