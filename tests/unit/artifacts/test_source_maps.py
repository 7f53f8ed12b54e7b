from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.artifacts.source_maps.decode import MapRefused, decode_map
from bloop.artifacts.source_maps.index import BLOCK_MAPPINGS, NONE, Original, find, make_index

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# (column, None) or (column, (source, line, column, name or None)), by line
Line = list[tuple[int, tuple[int, int, int, int | None] | None]]


def vlq(value: int) -> str:
    number = (-value << 1) | 1 if value < 0 else value << 1
    text = ""
    while True:
        digit, number = number & 31, number >> 5
        text += LETTERS[digit | 32 if number else digit]
        if not number:
            return text


def encode(lines: list[Line]) -> str:
    before = [0, 0, 0, 0]
    texts = []
    for line in lines:
        column_before, segments = 0, []
        for column, original in line:
            text = vlq(column - column_before)
            column_before = column
            if original is not None:
                for n, value in enumerate(original):
                    if value is not None:
                        text += vlq(value - before[n])
                        before[n] = value
            segments.append(text)
        texts.append(",".join(segments))
    return ";".join(texts)


def a_map(lines: list[Line], **fields: Any) -> dict[str, Any]:
    return {
        "version": 3,
        "sources": ["a.ts", "b.ts", "c.ts"],
        "names": ["one", "two"],
        "mappings": encode(lines),
        **fields,
    }


def look_up(document: dict[str, Any], line: int, column: int) -> Original | None:
    index = make_index(decode_map(json.dumps(document).encode()))
    block = index.block_of(line, column)
    return None if block == NONE else find(index.blocks[block], line, column)


def expected(lines: list[Line], line: int, column: int) -> Original | None:
    """The same by reading the list from its start."""
    segments = sorted(lines[line], key=lambda segment: segment[0]) if line < len(lines) else []
    exact = [original for at, original in segments if at == column]
    before = [original for at, original in segments if at < column]
    original = exact[0] if exact else before[-1] if before else None
    return None if original is None else Original(*original[:3], NONE if original[3] is None else original[3])


ORIGINALS = st.none() | st.tuples(
    st.integers(0, 2), st.integers(0, 5000), st.integers(0, 300), st.none() | st.integers(0, 1)
)
LINES = st.lists(st.lists(st.tuples(st.integers(0, 400), ORIGINALS), max_size=30), max_size=6)


@given(LINES, st.integers(0, 7), st.integers(0, 410))
def test_a_position_is_found_as_a_search_from_the_start_finds_it(lines: list[Line], line: int, column: int) -> None:
    """Unsorted lines, positions without a source and several mappings at one column included."""
    assert look_up(a_map(lines), line, column) == expected(lines, line, column)


def test_a_long_line_is_cut_into_blocks_that_hold_equal_columns_together() -> None:
    line: Line = [(n // 3, (n % 3, n, 0, None)) for n in range(3 * BLOCK_MAPPINGS)]
    index = make_index(decode_map(json.dumps(a_map([line])).encode()))

    assert len(index.blocks) > 2
    for column in (0, 340, 341, 342, 682, 683, BLOCK_MAPPINGS - 1):
        assert look_up(a_map([line]), 0, column) == expected([line], 0, column)


def sectioned(*sections: tuple[int, int, dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": 3,
        "sections": [{"offset": {"line": line, "column": column}, "map": inside} for line, column, inside in sections],
    }


def test_sections_on_one_line_move_their_first_line_only_and_are_cut_by_the_next() -> None:
    first = a_map([[(0, (0, 1, 1, None)), (50, (0, 2, 2, None))]], sources=["x.ts"])
    second = a_map([[(0, (0, 7, 0, 1)), (5, (0, 8, 0, None))], [(3, (0, 9, 0, None))]], sources=["y.ts"])
    document = sectioned((0, 0, first), (0, 40, second))

    assert look_up(document, 0, 39) == Original(0, 1, 1, NONE)
    assert look_up(document, 0, 40) == Original(1, 7, 0, 3)  # the second section's names come after the first's
    assert look_up(document, 0, 60) == Original(1, 8, 0, NONE)
    assert look_up(document, 1, 3) == Original(1, 9, 0, NONE)
    assert look_up(document, 1, 2) is None


def test_sections_in_sections_are_moved_by_both() -> None:
    inner = sectioned((0, 10, a_map([[(0, (0, 1, 0, None))]])), (2, 0, a_map([[(4, (1, 2, 0, None))]])))

    assert look_up(sectioned((3, 5, inner)), 3, 15) == Original(0, 1, 0, NONE)
    assert look_up(sectioned((3, 5, inner)), 5, 4) == Original(4, 2, 0, NONE)


def test_sources_are_below_their_root_and_libraries_are_known() -> None:
    document = a_map(
        [],
        sources=["src/a.ts", "/abs.ts", "https://x.example/b.ts", None],
        sourceRoot="webpack://shop",
        sourcesContent=["const a = 1;", None],
        ignoreList=[1],
        x_google_ignoreList=[2],
    )

    sources = decode_map(json.dumps(document).encode()).sources

    assert [source.path for source in sources] == ["webpack://shop/src/a.ts", "/abs.ts", "https://x.example/b.ts", ""]
    assert [source.content for source in sources] == ["const a = 1;", None, None, None]
    assert [source.is_ignored for source in sources] == [False, True, True, False]


def test_a_guard_in_front_and_a_debug_id_are_read() -> None:
    body = b")]}'\n" + json.dumps(a_map([], debugId="5d41402a-bc4b-4a76-b971-9d911017c592")).encode()

    assert decode_map(body).debug_id == "5d41402a-bc4b-4a76-b971-9d911017c592"


def test_an_index_outside_of_sources_or_names_is_no_source_and_no_name() -> None:
    assert look_up(a_map([[(0, (9, 1, 1, None))]]), 0, 0) is None
    assert look_up(a_map([[(0, (0, 1, 1, 9))]]), 0, 0) == Original(0, 1, 1, NONE)


def nested(depth: int) -> dict[str, Any]:
    document = a_map([[(0, (0, 0, 0, None))]])
    for _ in range(depth):
        document = sectioned((0, 0, document))
    return document


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("[]", "the map is no object"),
        ("{", "is no JSON"),
        ('{"version": 2, "mappings": ""}', "is not version 3"),
        ('{"version": 3}', "has no text of mappings"),
        ('{"version": 3, "mappings": "", "sources": {}}', "sources is no list"),
        ('{"version": 3, "mappings": "!"}', "has a mapping with the character '!'"),
        ('{"version": 3, "mappings": "é"}', "characters other than ASCII"),
        ('{"version": 3, "mappings": "AA"}', "has a mapping of 2 numbers"),
        ('{"version": 3, "mappings": "gggggggggggggggC"}', "beyond 32 bits"),
        ('{"version": 3, "mappings": "g"}', "has a mapping of 0 numbers"),
        ('{"version": 3, "sections": [{"offset": {"line": -1, "column": 0}, "map": {}}]}', "is no number from 0"),
        (json.dumps(nested(30)), "more than 8 deep"),
        (json.dumps(sectioned((5, 0, a_map([])), (1, 0, a_map([])))), "sections out of order"),
    ],
)
def test_a_broken_map_is_refused_with_its_reason(document: str, reason: str) -> None:
    with pytest.raises(MapRefused, match=reason.replace("(", r"\(")):
        list(decode_map(document.encode()).lines())


@given(st.text(alphabet=LETTERS + ",;", max_size=200))
def test_any_mappings_are_read_or_refused(mappings: str) -> None:
    try:
        decoded = decode_map(json.dumps({"version": 3, "sources": ["a"], "mappings": mappings}).encode())
        lines = list(decoded.lines())
    except MapRefused:
        return
    for _, found in lines:
        columns = [mapping.column for mapping in found]
        assert columns == sorted(columns)
