from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import UnreadableRecord
from bloop.records.dictionary import shipped
from bloop.records.error_record import to_event_record
from bloop.records.event_record import EventRecord, decode
from tests.unit.records.samples import events, text


@given(st.integers(0, 2**62), st.integers(0, 2**62), text, st.sampled_from(["v1", "client"]), events)
def test_a_record_of_an_earlier_release_becomes_the_same_event(project_id, at_ms, fingerprint, algorithm, event):
    event = msgspec.structs.replace(event, event_id=None, parts=None)
    fields = list(msgspec.structs.astuple(event))[:17]
    payload = msgspec.msgpack.encode([project_id, at_ms, fingerprint, algorithm, fields])

    found = decode(to_event_record(payload, shipped()), lambda _: shipped())

    assert found == EventRecord(project_id, at_ms, fingerprint, algorithm, event)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", msgspec.msgpack.encode([1, 2, "f", "v1", []]), msgspec.msgpack.encode([1, 2, "f", "v1", "text"])],
)
def test_what_is_no_such_record_is_unreadable(payload):
    with pytest.raises(UnreadableRecord):
        to_event_record(payload, shipped())


def test_an_algorithm_nobody_knows_is_unreadable():
    fields = [1, "s", "e", "r", "t", "m", *[None] * 10, "error"]

    with pytest.raises(UnreadableRecord, match="algorithm v9"):
        to_event_record(msgspec.msgpack.encode([1, 2, "f", "v9", fields]), shipped())
