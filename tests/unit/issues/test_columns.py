"""The columns of a block of events, COLUMNS-1 and COLUMNS-2, against looking at each event."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.issues.events.columns import (
    HTTP_MAX,
    Column,
    hash_positions,
    http_code,
    http_positions,
    is_http_exact,
    known_positions,
    level_code,
    level_positions,
    make_columns,
    tag_positions,
    unpacked,
)
from bloop.issues.search.values import Range
from bloop.records import event_record
from bloop.records.event import Event
from bloop.records.event_record import METADATA_HASHES_MAX, id_hash, metadata_hash, stored_id, with_dims
from bloop.records.record import encode_event

IDS = st.none() | st.sampled_from(("r-1", "r-2", "0123456789abcdef0123", "é" * 40, "0"))


def event(**fields: Any) -> Event:
    defaults = dict.fromkeys(Event.__struct_fields__) | {
        "timestamp_ms": 1,
        "source": "api",
        "environment": "production",
        "release": "1.0",
        "level": "error",
        "error_type": "E",
        "message": "m",
    }
    return Event(**defaults | fields)


def block(events: list[Event], *, first_id: int = 10, step: int = 1) -> dict[Column, bytes]:
    rows = [
        (first_id + n * step, n, 5, 0, with_dims(encode_event(1, 5, "f" * 16, "v1", one)))
        for n, one in enumerate(events)
    ]
    return make_columns(rows, first_id, first_id + len(events) - 1 + (step > 1))


@given(st.lists(IDS, min_size=1, max_size=30), st.lists(IDS.filter(bool), min_size=1, max_size=3))
def test_a_hash_is_found_where_its_id_is(ids: list[str | None], wanted: list[str]) -> None:
    columns = block([event(request_id=value, user_id_hash=value) for value in ids])
    expected = [place for place, value in enumerate(ids) if value in wanted]
    hashes = [id_hash(stored_id(value)) for value in wanted]

    for column in (Column.REQUESTS, Column.USERS):
        assert (column in columns) == any(value is not None for value in ids)
        if column in columns:
            assert hash_positions(columns[column], hashes) == expected
            assert known_positions(columns[column], len(ids)) == [n for n, value in enumerate(ids) if value is not None]


@given(
    st.lists(st.none() | st.sampled_from((0, 200, 404, 500, 0xFFFE, 0xFFFF)), min_size=1, max_size=30),
    st.integers(0, 600),
    st.integers(0, 600) | st.just(HTTP_MAX),
)
def test_statuses_are_found_in_their_range(statuses: list[int | None], low: int, high: int) -> None:
    wanted = Range(low, high)
    columns = block([event(http_status=status) for status in statuses])
    expected = {place for place, status in enumerate(statuses) if status in wanted}
    found = set(http_positions(columns.get(Column.HTTP, b""), [wanted]))

    assert expected <= found
    assert all(statuses[place] is not None for place in found)
    assert found == expected or not is_http_exact(wanted) or HTTP_MAX - 1 in [statuses[n] for n in found - expected]


def test_statuses_that_the_column_cannot_tell_apart_are_not_exact() -> None:
    assert http_code(HTTP_MAX) == http_code(HTTP_MAX - 1)
    assert is_http_exact(Range(500, 599))
    assert is_http_exact(Range(500, 10**9))
    assert not is_http_exact(Range(500, HTTP_MAX - 1))


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=5, unique=True), min_size=1, max_size=20))
def test_a_tag_is_found_where_it_is(keys: list[list[str]]) -> None:
    made = [event(metadata=event_json(dict.fromkeys(some, "x"))) if some else event() for some in keys]
    columns = block(made)
    expected = [place for place, some in enumerate(keys) if "b" in some]

    found = tag_positions(columns[Column.TAGS], [metadata_hash("b", "x")], len(keys)) if Column.TAGS in columns else []

    assert found == expected


def test_an_event_with_as_many_tags_as_are_hashed_may_have_any() -> None:
    many = event(metadata=event_json({f"k{n}": n for n in range(METADATA_HASHES_MAX + 5)}))
    nested = event(metadata=event_json({f"n{n}": {} for n in range(METADATA_HASHES_MAX)} | {"late": "x"}))
    data = block([event(), many, event(metadata='{"a":"x"}'), nested])[Column.TAGS]

    assert tag_positions(data, [metadata_hash("nowhere", "x")], 4) == [1]
    assert tag_positions(data, [metadata_hash("late", "x")], 4) == [1, 3]
    assert tag_positions(data, [metadata_hash("a", "x")], 4) == [1, 2]


def test_columns_without_values_are_left_out_and_missing_ids_are_listed() -> None:
    dense, sparse = block([event(), event()]), block([event(), event()], step=2)

    assert set(dense) == {Column.FINGERPRINTS, Column.DIMS, Column.LEVELS}
    assert list(unpacked("I", sparse[Column.OFFSETS])) == [0, 2]
    assert list(unpacked("I", dense[Column.FINGERPRINTS])) == [0, 1]


def test_levels_are_found_by_their_number_and_others_may_be_any() -> None:
    data = block([event(level=level) for level in ("fatal", "info", "odd", "fatal")])[Column.LEVELS]

    assert level_positions(data, {level_code(event_record.LEVELS.index("fatal"))}) == [0, 3]
    assert level_positions(data, {level_code("odd")}) == [2]
    assert level_positions(data, {level_code(event_record.LEVELS.index("debug"))}) == []


def test_an_event_that_cannot_be_read_costs_its_block_nothing() -> None:
    body = with_dims(encode_event(1, 5, "f" * 16, "v1", event(request_id="r-1")))
    rows = [(1, 1, 5, 0, b"\xff" * 40), (2, 1, 5, 7, b"\x63" * 40), (3, 1, 5, 0, body)]

    columns = make_columns(rows, 1, 3)

    assert hash_positions(columns[Column.REQUESTS], [id_hash("r-1")]) == [2]


@pytest.mark.parametrize("value", ["", "x", b"\0" * 8, "ä"])
def test_no_hash_of_an_id_is_the_one_for_none(value: str | bytes) -> None:
    assert any(id_hash(value))


def event_json(value: Any) -> str:
    return orjson.dumps(value).decode()
