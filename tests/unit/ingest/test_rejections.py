"""What the ingest routes tell about the requests they refuse: who will look for them, and what nobody may learn."""

from __future__ import annotations

import pytest

from bloop.base.client_address import ClientAddresses
from bloop.base.outcomes import Outcome
from bloop.base.rate_limit import RateLimiter
from bloop.ingest.refusal_notes import PER_SECOND, Rejections, key_prefix, network_of
from bloop.records.record import Kind, Rejection, encode_rejection
from tests.unit.ingest.ingest import CLIENT, KEY, NOW_MS, PROJECT_ID, Ingest, RecordingSink, encode, event

AGENT = {"User-Agent": "bloop-python/0.3"}


def only_note(ingest: Ingest) -> Rejection:
    (note,) = ingest.sink.notes
    assert ingest.sink.balance() == 0
    return note


def test_a_wrong_signature_is_noted_with_what_helps_to_find_its_sender() -> None:
    ingest = Ingest()
    body = encode(event())

    ingest.send(body, secret="wrong", headers=AGENT)

    what = (PROJECT_ID, NOW_MS, Outcome.BAD_SIGNATURE, "invalid signature")
    assert only_note(ingest) == Rejection(*what, "bloop_1a1a1a…", len(body), CLIENT, AGENT["User-Agent"])


def test_every_way_to_be_refused_leaves_one_note_with_what_the_client_was_told() -> None:
    cases = [
        (lambda i: i.send(encode(event()), key="bloop_nobody"), Outcome.UNKNOWN_KEY, "invalid project key"),
        (lambda i: i.send_event(environment=""), Outcome.INVALID, "environment is required"),
        (lambda i: i.send(b"{"), Outcome.INVALID, "JSON"),
        (lambda i: i.send(b"x" * 40_000), Outcome.TOO_LARGE, "body exceeds 32768 bytes"),
        (lambda i: i.send_batch([{}] * 101), Outcome.TOO_LARGE, "batch exceeds max size of 100"),
        (lambda i: i.send(b"[]", "/v1/ingest/batch"), Outcome.INVALID, "batch must be a JSON object"),
        (lambda i: i.send_batch([event(), {}, {}]), Outcome.INVALID, "is required"),
    ]
    for send, outcome, told in cases:
        ingest = Ingest()
        send(ingest)

        note = only_note(ingest)
        assert (note.outcome, told in note.detail) == (outcome, True), note


def test_what_is_accepted_leaves_no_note() -> None:
    ingest = Ingest()

    ingest.send_event()
    ingest.send_batch([event(), event()])

    assert ingest.sink.notes == []


def test_a_flood_is_noted_a_few_times_a_second_for_each_outcome_and_counted_whole() -> None:
    ingest = Ingest(rate_limit=RateLimiter(1, 3, monotonic=lambda: 0.0))

    for _ in range(50):
        ingest.send(encode(event()), secret="wrong")

    noted = [note.outcome for note in ingest.sink.notes]
    assert noted == [Outcome.BAD_SIGNATURE] * 3 + [Outcome.RATE_LIMITED] * PER_SECOND
    assert ingest.sink.counts[PROJECT_ID, Outcome.RATE_LIMITED] == 47


def test_the_next_second_is_noted_again() -> None:
    sink = RecordingSink()
    notes = Rejections(sink, ClientAddresses())

    for at_ms in (1000, 1999, 2000):
        for _ in range(PER_SECOND + 1):
            notes.note(0, Outcome.INVALID, "", "", {}, at_ms)

    assert [note.rejected_at_ms for note in sink.notes] == [1000] * PER_SECOND + [2000] * PER_SECOND


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (KEY, "bloop_1a1a1a…"),
        ("bloop_tk_abcdefgh", "bloop_tk_abc…"),
        ("a-secret-somebody-made-up", "a-se…"),
        ("abc", "abc"),
        ("", ""),
    ],
)
def test_a_key_is_shown_by_its_first_characters_only(key: str, shown: str) -> None:
    assert key_prefix(key) == shown


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("8.8.4.4", "8.8.4.0/24"),
        ("2a00:1450:4001:811::200e", "2a00:1450:4001::/48"),
        ("::ffff:8.8.4.4", "8.8.4.0/24"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("fe80::1", "fe80::1"),
        ("", ""),
        ("not an address", ""),
    ],
)
def test_a_public_address_is_cut_to_its_network(address: str, shown: str) -> None:
    assert network_of(address) == shown


@pytest.mark.parametrize("value", ["\ud800", "ÿ\x00", "a" * 5000, "\u202e"])
def test_a_note_can_always_be_encoded_and_stays_small(value: str) -> None:
    sink = RecordingSink()
    env = {"HTTP_X_PROJECT_KEY": value, "HTTP_USER_AGENT": value, "CONTENT_LENGTH": value, "REMOTE_ADDR": value}

    Rejections(sink, ClientAddresses()).note(0, Outcome.INVALID, value, value, env, NOW_MS)

    assert len(encode_rejection(sink.notes[0])) < 500


def test_a_full_ring_forgets_the_note_and_answers_as_ever() -> None:
    class FullSink(RecordingSink):
        def push(self, kind: int, payload: bytes) -> bool:
            assert kind == Kind.NOTE
            return False

    ingest = Ingest()
    ingest.sink.push = FullSink().push  # type: ignore[method-assign]

    assert ingest.send_event(environment="").status_code == 400
    assert ingest.sink.balance() == 0
