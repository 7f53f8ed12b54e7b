from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.config import EVENT_REST_BYTES_MAX, Ingest
from bloop.base.errors import UnreadableRecord
from bloop.ingest import limits as bounds
from bloop.ingest.dialects.native import Event, parse_event
from bloop.ingest.limits import Limits
from bloop.records.record import ErrorRecord, Kind, decode_error, encode_error, form, kind_and_version, received_at_ms

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
        "EVENT": 1,
        "SESSION": 3,
        "TRACE": 5,
        "NOTE": 7,
    }


@pytest.mark.parametrize(("kind", "version"), [(Kind.EVENT, 0), (Kind.NOTE, 1), (Kind.TRACE, 65_535)])
def test_a_form_is_a_kind_and_the_version_of_its_codec(kind, version):
    assert kind_and_version(form(kind, version)) == (kind, version)
    assert form(kind, 0) == kind, "what releases before versions wrote is version 0"


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


def test_largest_event_the_limits_allow_fits_what_the_settings_reckon_with():
    limits = Limits.of(Ingest())
    label = "x" * bounds.LABEL_BYTES_MAX
    body = {
        "timestamp": 2**62,
        "source": "x" * bounds.SOURCE_CHARS_MAX,
        "environment": "x" * bounds.ENVIRONMENT_BYTES_MAX,
        "release": "x" * bounds.RELEASE_BYTES_MAX,
        "error_type": "x" * bounds.ERROR_TYPE_BYTES_MAX,
        "message": "x" * limits.message_bytes_max,
        "stack": "x" * limits.stack_bytes_max,
        "route_or_procedure": "x" * bounds.ROUTE_BYTES_MAX,
        "screen": "x" * bounds.SCREEN_BYTES_MAX,
        "http_status": 65535,
        **dict.fromkeys(("request_id", "user_id_hash", "device_id_hash", "app_version", "build_number"), label),
        "metadata": "x" * (limits.metadata_bytes_max - 2),
        "level": "warning",
        "fingerprint": "\U0001f600" * bounds.FINGERPRINT_CHARS_MAX,
    }
    event, fingerprint = parse_event(body, limits, 2**62)

    payload = encode_error(2**55, 2**62, fingerprint or "", "client", event)

    large = limits.message_bytes_max + limits.stack_bytes_max + limits.metadata_bytes_max
    assert large < len(payload) <= large + EVENT_REST_BYTES_MAX


@given(st.integers(0, 2**62), text, events)
def test_when_a_record_was_received_is_read_without_knowing_its_kind(at_ms, fingerprint, event):
    assert received_at_ms(encode_error(1, at_ms, fingerprint, "v1", event)) == at_ms


@pytest.mark.parametrize(
    "payload", [b"", b"\xc1", b"\x91\x01", b"\x01", b"\x92\x01\xa1x", b"\x92\x01\xc3", b"\xa1\xff"]
)
def test_what_is_no_record_was_never_received(payload):
    assert received_at_ms(payload) is None
