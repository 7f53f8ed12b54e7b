from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.config import EVENT_REST_BYTES_MAX, Ingest
from bloop.ingest import limits as bounds
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.records.event import Event
from bloop.records.record import Kind, encode_event, form, kind_and_version, project_id, received_at_ms
from tests.noise import noise
from tests.unit.records.samples import events, text


def test_kinds_keep_their_numbers():
    assert {kind.name: kind.value for kind in Kind} == {
        "EVENT": 1,
        "SESSION": 3,
        "TRACE": 5,
        "NOTE": 7,
        "KEY_USE": 8,
    }


@pytest.mark.parametrize(("kind", "version"), [(Kind.EVENT, 0), (Kind.NOTE, 1), (Kind.TRACE, 65_535)])
def test_a_form_is_a_kind_and_the_version_of_its_codec(kind, version):
    assert kind_and_version(form(kind, version)) == (kind, version)
    assert form(kind, 0) == kind, "what releases before versions wrote is version 0"


def test_records_are_immutable():
    event = Event(1, "s", "e", "r", "t", "m", *[None] * 10, "error")

    with pytest.raises(AttributeError):
        event.message = "other"  # type: ignore[misc]
    assert msgspec.structs.asdict(event)["message"] == "m"


def test_largest_event_the_limits_allow_fits_what_the_settings_reckon_with():
    limits = Limits.of(Ingest())
    label = "x" * bounds.LABEL_BYTES_MAX
    text_of = noise(40_000)
    body = {
        "timestamp": 2**62,
        "source": "x" * bounds.SOURCE_CHARS_MAX,
        "environment": "x" * bounds.ENVIRONMENT_BYTES_MAX,
        "release": "x" * bounds.RELEASE_BYTES_MAX,
        "error_type": "x" * bounds.ERROR_TYPE_BYTES_MAX,
        "message": text_of[: limits.message_bytes_max],
        "stack": text_of[: limits.stack_bytes_max],
        "route_or_procedure": "x" * bounds.ROUTE_BYTES_MAX,
        "screen": "x" * bounds.SCREEN_BYTES_MAX,
        "http_status": 65535,
        **dict.fromkeys(("request_id", "user_id_hash", "device_id_hash", "app_version", "build_number"), label),
        "metadata": text_of[-limits.metadata_bytes_max + 2 :],
        "level": "warning",
        "fingerprint": "\U0001f600" * bounds.FINGERPRINT_CHARS_MAX,
    }
    event, fingerprint = parse_event(body, limits, 2**62)

    payload = encode_event(2**55, 2**62, fingerprint or "", "client", event)

    large = limits.message_bytes_max + limits.stack_bytes_max + limits.metadata_bytes_max
    assert large * 0.8 < len(payload) <= large + EVENT_REST_BYTES_MAX


@given(st.integers(0, 2**62), text, events)
def test_when_a_record_was_received_is_read_without_knowing_its_kind(at_ms, fingerprint, event):
    payload = encode_event(149, at_ms, fingerprint, "v1", event)  # 149 is how a MessagePack array of five begins

    assert (project_id(payload), received_at_ms(payload)) == (149, at_ms)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", b"\xc1" + b"\1" * 15, b"\x91\x01", b"\x01", b"\x92\x01\xa1x", b"\x92\x01\xc3", b"\xa1\xff"],
)
def test_what_is_no_record_was_never_received(payload):
    assert received_at_ms(payload) is None
