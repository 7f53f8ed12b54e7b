from __future__ import annotations

import msgspec
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import UnreadableRecord
from bloop.records import event_record
from bloop.records.dictionary import Dictionary, shipped
from bloop.records.event import Event, Parts
from bloop.records.event_record import CODEC, START, EventRecord, decode, encode, metadata_hash, read_start
from tests.unit.records.samples import events, make_event, text

FINGERPRINT = "0123456789abcdef"
fingerprints = text | st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")


def only_shipped(dictionary_id: int) -> Dictionary | None:
    return shipped() if dictionary_id == shipped().id else None


def encoded(event: Event, fingerprint: str = FINGERPRINT, algorithm: str = "v1") -> bytes:
    return encode(7, 9, fingerprint, algorithm, event, shipped())


@given(st.integers(0, 2**62), st.integers(0, 2**62), fingerprints, st.sampled_from(["v1", "client"]), events)
def test_what_was_encoded_is_decoded(project_id, received_at_ms, fingerprint, algorithm, event):
    payload = encode(project_id, received_at_ms, fingerprint, algorithm, event, shipped())

    assert decode(payload, only_shipped) == EventRecord(project_id, received_at_ms, fingerprint, algorithm, event)


def body_of(payload: bytes) -> bytes:
    return payload[START.size + read_start(payload).dims_bytes :]


def dims_of(payload: bytes) -> bytes:
    return payload[START.size : START.size + read_start(payload).dims_bytes]


@given(events)
def test_a_row_gives_the_event_back_of_its_body_and_its_dims(event):
    payload = encoded(event)

    assert event_record.decode_body(body_of(payload), dims_of(payload), event.timestamp_ms, only_shipped) == event


@given(events, st.booleans())
def test_a_row_says_in_what_its_event_differs_with_and_without_flags_for_the_version(event, has_flags):
    payload = encoded(event)
    body, place = bytearray(body_of(payload)), event_record.decode_dims(dims_of(payload))
    if not has_flags:  # as the first records of this codec
        body[1] &= ~(event_record.VERSION_IS_RELEASE | event_record.HAS_NO_VERSION)

    found = event_record.traits(bytes(body), place, only_shipped)

    assert found == (event.source, event.level, event.http_status, event.app_version)


def test_most_events_are_not_unpacked_to_say_in_what_they_differ():
    for version in (None, "2.0"):
        payload = encoded(make_event(release="2.0", app_version=version, stack="at main (a.js:1:1)\n" * 20))

        found = event_record.traits(body_of(payload), event_record.decode_dims(dims_of(payload)), lambda _: None)

        assert found.app_version == version


@given(events)
def test_a_body_that_has_its_dims_with_it_is_taken_apart_again(event):
    payload = encoded(event)

    assert event_record.split_dims(event_record.with_dims(payload)) == (dims_of(payload), body_of(payload))


@given(events)
def test_a_row_says_what_its_event_is_counted_by(event):
    payload = encoded(event, "by client", "client")

    assert event_record.decode_dims(dims_of(payload)) == (event.release, event.environment, event.source, event.route)
    assert event_record.user_key_of(body_of(payload)) == read_start(payload).user_key
    assert event_record.request_id_of(body_of(payload)) == event.request_id


# Mark, project, received at, timestamp, fingerprint, user key, length of the dims.
START_OF_THE_SAMPLE = "c1 0700000000000000 0900000000000000 0100000000000000 9abaf39f9055c133 cbff2c87fb579cb3 0700"
# Version, flags (client, text), length of search, units of the rest, dictionary.
CODEC_OF_THE_SAMPLE = "01 46 1b00 0000 00000000"


def test_layout_of_a_stored_record_stays_as_it_is():
    metadata = '{"cart":5}'
    event = Event(
        *(1, "ios", "production", "r", "t", "m", "k", "o", "n", 5, "q", "ab" * 8, "d", "r", "b", metadata, "error"),
        event_id="e",
        parts=Parts(tags={"plan": "free"}, handled=False),
    )

    payload = encode(7, 9, "f", "client", event, Dictionary(b"nothing that helps"))

    start, body = payload[: START.size], body_of(payload)
    codec, identity, rest = body[: CODEC.size], body[CODEC.size : CODEC.size + 3], body[CODEC.size + 3 :]
    assert start == bytes.fromhex(START_OF_THE_SAMPLE)
    assert msgspec.msgpack.decode(dims_of(payload)) == ["r", 0, 1, "o"]
    assert codec == bytes.fromhex(CODEC_OF_THE_SAMPLE)
    assert identity == b"\x01\x00f"
    search_bytes = event_record.read_codec(body).search_bytes
    assert msgspec.msgpack.decode(rest[:search_bytes]) == [
        *(1, 5, "q", b"\xab" * 8, "d", metadata_hash("plan", "free") + metadata_hash("cart", "5"), "e"),
    ]
    assert msgspec.msgpack.decode(rest[search_bytes:]) == [
        *("t", "m", "k", "n", 0, "b", metadata),
        {"tags": {"plan": "free"}, "handled": False},
    ]


def test_tables_of_names_keep_their_order():
    assert event_record.ALGORITHMS[:3] == ("", "client", "v1")
    assert event_record.LEVELS == ("fatal", "error", "warning", "info", "debug")
    assert event_record.ENVIRONMENTS[:4] == ("production", "staging", "development", "test")
    assert event_record.SOURCES[:6] == ("api", "ios", "android", "python", "ruby", "rust")


def test_parts_an_event_does_not_have_cost_nothing():
    alone = encoded(make_event())

    assert len(encoded(make_event(parts=None, event_id=None))) == len(alone)
    assert len(alone) < len(encoded(make_event(parts=Parts(handled=True))))


@pytest.mark.parametrize(
    ("fingerprint", "number"),
    [
        ("0000000000000005", 5),
        ("ffffffffffffffff", -1),
        ("8000000000000000", -(2**63)),
    ],
)
def test_sixteen_hex_digits_are_their_own_number_and_need_no_text(fingerprint, number):
    payload = encoded(make_event(), fingerprint)

    assert read_start(payload).fingerprint == number
    assert not event_record.read_codec(body_of(payload)).flags & event_record.HAS_TEXT


@pytest.mark.parametrize("fingerprint", ["0123456789ABCDEF", "0123456789abcde", "checkout", "", "0" * 17, "f" * 64])
def test_any_other_fingerprint_is_hashed_and_stays_as_text(fingerprint):
    payload = encoded(make_event(), fingerprint, "client")

    assert read_start(payload).fingerprint & (2**64 - 1) == xxhash.xxh3_64_intdigest(fingerprint.encode())
    assert event_record.identity_of(body_of(payload)).decode() == fingerprint


def test_equal_dims_are_equal_bytes():
    assert dims_of(encoded(make_event(message="one"))) == dims_of(encoded(make_event(message="two", user_id_hash=None)))
    assert dims_of(encoded(make_event())) != dims_of(encoded(make_event(route=None)))


def test_user_keys_are_the_upper_half_of_the_sixteen_bytes_stored_before():
    before = xxhash.xxh3_128_digest(b"device:d1")

    assert event_record.user_key(None, "d1") == int.from_bytes(before[:8], "big", signed=True)
    assert event_record.user_key("u1", "d1") == event_record.user_key("u1", None)
    assert event_record.user_key(None, None) == event_record.NO_USER


def test_what_does_not_shrink_stays_plain():
    payload = encode(7, 9, FINGERPRINT, "v1", make_event(stack=None, message="q"), Dictionary(b"nothing that helps"))

    codec = event_record.read_codec(body_of(payload))
    assert (codec.flags & event_record.IS_PACKED, codec.dictionary_id) == (0, 0)
    assert decode(payload, lambda _: None).event.message == "q"


def test_hashes_of_metadata_are_bounded_and_cover_tags_numbers_truth_and_lists():
    metadata = msgspec.json.encode({"n": 1.5, "ok": True, "no": None, "in": {"x": 1}, "list": ["a", {"b": 1}]}).decode()

    found = event_record._metadata_hashes(make_event(metadata=metadata, parts=Parts(tags={"plan": "pro"})))

    wanted = [("plan", "pro"), ("n", "1.5"), ("ok", "true"), ("list", "a")]
    assert found == b"".join(metadata_hash(*pair) for pair in wanted)
    many = msgspec.json.encode({f"k{n}": n for n in range(40)}).decode()
    assert len(event_record._metadata_hashes(make_event(metadata=many))) == 16 * event_record.METADATA_HASH_BYTES


def test_names_longer_than_a_byte_of_length_survive():
    event = make_event(release="r" * 256, environment="e" * 256, route="/" * 1024, request_id="q" * 256)

    assert decode(encoded(event, "ü" * 256, "client"), only_shipped).event == event


@pytest.mark.parametrize("cut", [0, 10, START.size - 1, START.size, START.size + 4, START.size + 40])
def test_a_record_cut_short_is_unreadable(cut):
    with pytest.raises(UnreadableRecord):
        decode(encoded(make_event())[:cut], only_shipped)


def test_a_later_codec_is_unreadable_and_says_so():
    payload = bytearray(encoded(make_event()))
    payload[len(payload) - len(body_of(bytes(payload)))] = event_record.VERSION + 1

    with pytest.raises(UnreadableRecord, match="codec 2 is not known"):
        decode(bytes(payload), only_shipped)


def test_a_missing_dictionary_is_named():
    with pytest.raises(UnreadableRecord, match=f"dictionary {shipped().id} of an event is missing"):
        decode(encoded(make_event()), lambda _: None)


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_record_is_unreadable_or_another_event_and_nothing_else(position, value):
    payload = bytearray(encoded(make_event()))
    payload[position % len(payload)] = value

    try:
        record = decode(bytes(payload), only_shipped)
    except UnreadableRecord:
        return
    assert isinstance(record, EventRecord)
