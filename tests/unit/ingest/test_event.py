from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base import config
from bloop.base.errors import InvalidEvent
from bloop.ingest.dialects.native import parse_single
from bloop.ingest.dialects.native_event import LEVELS, parse_event
from bloop.ingest.limits import Limits
from bloop.ingest.parsed import RejectAll
from bloop.records.event import Event
from tests import vectors
from tests.unit.ingest.ingest import NOW_MS, event

LIMITS = Limits()
SMALL = Limits(stack_bytes_max=8, metadata_bytes_max=8, message_bytes_max=8)


def parse(data: Any, limits: Limits = LIMITS) -> Event:
    return parse_event(data, limits, NOW_MS)[0]


def fault(data: Any, limits: Limits = LIMITS) -> tuple[str, str]:
    with pytest.raises(InvalidEvent) as raised:
        parse_event(data, limits, NOW_MS)
    return raised.value.path, raised.value.reason


@pytest.mark.parametrize("case", vectors.load("good_bodies"), ids=vectors.case_id)
def test_good_body_is_stored_as(case):
    (accepted,) = parse_single(case["body"].encode(), LIMITS, NOW_MS, {})

    assert msgspec.structs.asdict(accepted.value) == case["stored"] | {"event_id": None, "parts": None}


@pytest.mark.parametrize("case", vectors.load("bad_bodies"), ids=vectors.case_id)
def test_bad_body_is_refused_with(case):
    refused = parse_single(case["body"].encode(), LIMITS, NOW_MS, {})

    assert isinstance(refused, RejectAll)
    assert refused.reason == case["error"]
    assert refused.path == (case["path"] or "")


def test_faults_are_named_in_the_documented_order():
    data = event(message="m" * 9, stack="s" * 9, metadata={"a": "bcde"}, environment="", error_type="")

    assert fault(data, SMALL) == ("message", "message exceeds 8 bytes")
    data["message"] = ""
    assert fault(data, SMALL) == ("stack", "stack exceeds 8 bytes")
    data["stack"] = ""
    assert fault(data, SMALL) == ("metadata", "metadata exceeds 8 bytes")
    data["metadata"] = {}
    assert fault(data, SMALL) == ("environment", "environment is required")
    data["environment"] = "e"
    assert fault(data, SMALL) == ("error_type", "error_type is required")
    data["error_type"] = "t"
    assert parse(data, SMALL).message == "t"


BOUNDS = {
    "message": 2048,
    "stack": 8192,
    "environment": 256,
    "release": 256,
    "error_type": 512,
    "route_or_procedure": 1024,
    "screen": 1024,
    "request_id": 256,
    "user_id_hash": 256,
    "device_id_hash": 256,
    "app_version": 256,
    "build_number": 256,
}


@pytest.mark.parametrize(("field", "bytes_max"), BOUNDS.items())
@pytest.mark.parametrize("character", ["x", "é", "€", "😀"], ids=["1 byte", "2 bytes", "3 bytes", "4 bytes"])
def test_bounds_are_inclusive_and_count_utf8_bytes(field, bytes_max, character):
    size = len(character.encode())
    fitting = character * (bytes_max // size) + "x" * (bytes_max % size)

    parse(event(**{field: fitting}))
    assert fault(event(**{field: fitting + "x"})) == (field, f"{field} exceeds {bytes_max} bytes")
    assert fault(event(**{field: character * (bytes_max // size + 1)})) == (field, f"{field} exceeds {bytes_max} bytes")


def test_metadata_bound_is_on_its_compact_form():
    fitting = {"k": "v" * (4096 - len('{"k":""}'))}

    assert len(parse(event(metadata=fitting)).metadata or "") == 4096
    fitting["k"] += "v"
    assert fault(event(metadata=fitting)) == ("metadata", "metadata exceeds 4096 bytes")


def test_metadata_bound_counts_utf8_bytes():
    assert fault(event(metadata="é" * 2048)) == ("metadata", "metadata exceeds 4096 bytes")
    parse(event(metadata="é" * 2047))


def test_metadata_sent_as_text_is_bounded_as_the_object_it_spells():
    spread_out = json.dumps({"k": ["v"] * 900}, indent=4)
    assert len(spread_out) > 8000

    assert json.loads(parse(event(metadata=spread_out)).metadata or "") == {"k": ["v"] * 900}


def test_metadata_nested_beyond_what_can_be_written_is_refused():
    deep: Any = 1
    for _ in range(300):
        deep = [deep]

    assert fault(event(metadata=deep)) == ("metadata", "metadata is nested too deeply")


def test_metadata_text_with_nul_or_lone_surrogates_is_mended():
    assert parse(event(metadata='{"a":"\\u0000","b":"\\ud800"}')).metadata == '{"a":"\ufffd","b":"\ufffd"}'


@pytest.mark.parametrize(
    ("timestamp", "timestamp_ms"),
    [
        (NOW_MS, NOW_MS),
        (NOW_MS + 60_000, NOW_MS + 60_000),
        (NOW_MS + 60_001, NOW_MS),
        (NOW_MS * 10, NOW_MS),
        (4_102_444_800, NOW_MS),
        (0, NOW_MS),
        (-1, NOW_MS),
        (-(2**63), NOW_MS),
        (2**63 - 1, NOW_MS),
        (1, 1000),
    ],
)
def test_impossible_clock_gives_way_to_the_time_of_receipt(timestamp, timestamp_ms):
    assert parse(event(timestamp=timestamp)).timestamp_ms == timestamp_ms


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_taken(level):
    assert parse(event(level=level)).level == level


@pytest.mark.parametrize(
    ("sent", "chosen"),
    [
        (None, None),
        ("", None),
        ("mine", "mine"),
        ("f" * 256, "f" * 256),
        (" a b\u00a0c ", " a b\u00a0c "),
        ("größe/1", "größe/1"),
    ],
)
def test_client_fingerprint_is_kept_as_sent(sent, chosen):
    assert parse_event(event(fingerprint=sent), LIMITS, NOW_MS)[1] == chosen


def test_configured_bounds_are_the_ones_that_count():
    settings = config.Ingest(
        max_payload_bytes=2000, max_stack_bytes=300, max_metadata_bytes=10, max_message_bytes=20, max_batch_size=3
    )

    limits = Limits.of(settings)

    assert limits == Limits(2000, 300, 10, 20, 3)
    assert fault(event(message="m" * 21), limits) == ("message", "message exceeds 20 bytes")
    assert (limits.batch_bytes_max, limits.batch_events_tolerated) == (6000, 6)


def test_default_limits_are_the_default_settings():
    assert Limits.of(config.Ingest()) == Limits()


def test_largest_event_of_a_batch_is_smaller_than_a_single_request_may_be():
    assert sum(BOUNDS.values()) + 4096 + 256 * 4 + 32 < Limits().payload_bytes_max


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from([*Event.__struct_fields__, "timestamp", "route_or_procedure", "fingerprint", "unknown"])


@given(st.dictionaries(field_names, anything, max_size=6), st.sets(field_names, max_size=3))
def test_any_object_is_an_event_or_a_fault_with_a_path(fields, dropped):
    data = {name: value for name, value in event(**fields).items() if name not in dropped}
    try:
        parsed, fingerprint = parse_event(data, LIMITS, NOW_MS)
    except InvalidEvent as error:
        path, reason = error.path, error.reason
    else:
        msgspec.convert(msgspec.to_builtins(parsed), Event)  # every field has the type it declares
        assert fingerprint is None or isinstance(fingerprint, str)
        return
    assert path in data or path in dropped
    assert path in reason


@given(anything.filter(lambda value: not isinstance(value, dict)))
def test_what_is_no_object_is_refused_as_a_whole(value):
    assert fault(value) == ("", "event must be a JSON object")
