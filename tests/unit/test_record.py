from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.errors import UnreadableRecord
from bloop.record import ErrorRecord, Kind, decode_error, encode_error
from bloop.validate.event import Event

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | text
events = st.builds(
    Event,
    timestamp_ms=st.integers(1, 2**62),
    source=text,
    environment=text,
    release=text,
    error_type=text,
    message=text,
    stack=maybe,
    route=maybe,
    screen=maybe,
    http_status=st.none() | st.integers(0, 65535),
    request_id=maybe,
    user_id_hash=maybe,
    device_id_hash=maybe,
    app_version=maybe,
    build_number=maybe,
    metadata=maybe,
    level=text,
)


@given(st.integers(0, 2**62), st.integers(0, 2**62), text, events)
def test_what_was_encoded_is_decoded(project_id, received_at_ms, fingerprint, event):
    payload = encode_error(project_id, received_at_ms, fingerprint, "v1", event)

    assert decode_error(payload) == ErrorRecord(project_id, received_at_ms, fingerprint, "v1", event)


def test_layout_of_a_stored_record_stays_as_it_is():
    event = Event(1, "s", "e", "r", "t", "m", "k", "o", "n", 5, "q", "u", "d", "a", "b", '{"x":1}', "error")

    payload = encode_error(7, 9, "f", "v1", event)

    assert msgspec.msgpack.decode(payload) == [
        *(7, 9, "f", "v1"),
        [1, "s", "e", "r", "t", "m", "k", "o", "n", 5, "q", "u", "d", "a", "b", '{"x":1}', "error"],
    ]


def test_kinds_keep_their_numbers():
    assert {kind.name: kind.value for kind in Kind} == {
        "ERROR": 1,
        "CRASH": 2,
        "SESSION_START": 3,
        "SESSION_END": 4,
        "TRACE": 5,
        "TRACE_UPDATE": 6,
    }


def test_fields_of_a_later_version_are_skipped():
    event = Event(1, "s", "e", "r", "t", "m", *[None] * 10, "error")
    newer = msgspec.msgpack.decode(encode_error(7, 9, "f", "v1", event))
    newer[4].append("a field of tomorrow")
    newer.append("another")

    assert decode_error(msgspec.msgpack.encode(newer)).event == event


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"\xc1", b"\xff\xfe", b"{}", b"\x91" * 5000),
        *(msgspec.msgpack.encode(value) for value in ({}, [], [1, 2], [1, 2, "f", "v1", {}], ["7", 9, "f", "v1", []])),
        msgspec.msgpack.encode([7, 9, "f", "v1", [1, "s"]]),
    ],
)
def test_payload_that_is_no_record_is_a_typed_error(payload):
    with pytest.raises(UnreadableRecord, match="error record does not decode"):
        decode_error(payload)


def test_records_are_immutable():
    event = Event(1, "s", "e", "r", "t", "m", *[None] * 10, "error")

    with pytest.raises(AttributeError):
        event.message = "other"  # type: ignore[misc]
    assert msgspec.structs.asdict(event)["message"] == "m"
