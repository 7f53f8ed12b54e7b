"""Bodies that are cheap to send and dear to read: few bytes when packed, a great many values when parsed."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bloop.base.errors import InvalidEvent, RateLimited
from bloop.base.outcomes import Outcome
from bloop.base.rate_limit import RateLimiter, WorkBudget
from bloop.ingest.dialects.native import parse_batch, parse_single
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.ingest.parsed import Accept, Reject, RejectAll
from tests.unit.ingest.ingest import NOW_MS, Ingest, encode, event

LIMITS = Limits()
PACKED_BYTES_MAX = 300
BUILT_BYTES_MAX = 6 * 1024 * 1024  # beside the body: four times that of the body, where it used to be fifty times


def filled(unit: bytes, first: bytes = b"", start: bytes = b'{"events":[', end: bytes = b"]}") -> bytes:
    """A batch of the greatest length there may be, of one thing again and again."""
    count = (LIMITS.batch_bytes_max - len(start) - len(first) - len(end)) // (len(unit) + 1)
    return start + first + b",".join([unit] * count) + end


ONE_EVENT = b'{"events":[' + encode(event())[:-1] + b',"metadata":'
BOMBS = {
    "arrays": filled(b"[]"),
    "objects": filled(b"{}"),
    "objects with a key": filled(b'{"a":0}'),
    "towers": filled(b"[[[[[[[[[[]]]]]]]]]]"),
    "high towers": filled(b"[" * 900 + b"]" * 900),
    "texts": filled(b'"ab"'),
    "numbers": filled(b"1.5"),
    "arrays after half an emoji": filled(b"[]", rb'"\ud83d",'),
    "arrays after NaN": filled(b"[]", b"NaN,"),
    "arrays after NUL": filled(b"[]", rb'"\u0000",'),
    "arrays after a byte order mark": filled(b"[]", start=b'\xef\xbb\xbf{"events":['),
    "metadata of one event": filled(b"[]", start=ONE_EVENT + b"[", end=b"]}]}"),
    "metadata of one event as text": filled(b"[]", start=ONE_EVENT + rb'"{\"a\":[', end=rb']}"}]}'),
    "fields nobody knows": filled(b"[]", start=b'{"other":[', end=b'],"events":[]}'),
    "an array as the body": filled(b"[]", start=b"[", end=b"]"),
    "NUL again and again": filled(rb'"\u0000"'),
}


@pytest.mark.parametrize("name", BOMBS)
def test_body_of_a_great_many_values_is_refused_before_they_are_built(name: str):
    body = BOMBS[name]
    assert len(body) > 1_600_000
    assert len(zstandard.compress(body, 19)) < PACKED_BYTES_MAX

    tracemalloc.start()
    try:
        parsed = parse_batch(body, LIMITS, NOW_MS, {})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert not isinstance(parsed, list) or not any(isinstance(record, Accept) for record in parsed)
    assert peak < BUILT_BYTES_MAX, f"{peak / 2**20:.1f} MiB"


def test_batch_of_the_largest_metadata_there_may_be_is_taken():
    metadata = [0] * 2047
    events = [event(metadata=metadata)] * 100

    parsed = parse_batch(json.dumps({"events": events}, separators=(",", ":")).encode(), LIMITS, NOW_MS, {})

    assert [type(record) for record in parsed] == [Accept] * 100


def test_long_event_of_a_batch_is_refused_only_for_the_number_of_its_values():
    text = event(padding="x" * 100_000)
    values = event(padding=[0] * 20_000)

    taken, refused = parse_batch(encode({"events": [text, values]}), LIMITS, NOW_MS, {})

    assert isinstance(taken, Accept)
    assert refused == Reject(Outcome.INVALID, "", "event holds more than 16384 values", 0)


elements = st.one_of(
    st.just(event()),
    st.sampled_from([None, 1, "x", [], {}, [[]], {"events": []}]),
    st.sampled_from(["environment", "level", "metadata", "http_status", "message"]).flatmap(
        lambda name: st.sampled_from(["", None, 7, "warn", {"n": 2**70}, "é" * 3000]).map(
            lambda value: event(**{name: value})
        )
    ),
)


@given(st.lists(elements, max_size=6), st.sampled_from([None, 2, 4]), st.booleans())
def test_batch_read_in_pieces_is_what_its_events_are_alone(events: list[Any], indent: int | None, is_ascii: bool):
    body = json.dumps({"other": {"events": [1]}, "events": events}, indent=indent, ensure_ascii=is_ascii).encode()

    parsed = parse_batch(body, LIMITS, NOW_MS, {})

    alone = [parse_single(json.dumps(element).encode(), LIMITS, NOW_MS, {}) for element in events]
    assert [outcome_of(record) for record in parsed] == [
        outcome_of(record) if isinstance(record, RejectAll) else outcome_of(record[0]) for record in alone
    ]


def outcome_of(record: Any) -> Any:
    return record.value if isinstance(record, Accept) else (record.path, record.reason)


@pytest.mark.parametrize("events", [101, 130, 5000])
def test_batch_that_is_too_long_is_counted_in_full(events: int):
    refused = parse_batch(encode({"events": [{}] * events}), LIMITS, NOW_MS, {})

    assert refused == RejectAll(Outcome.TOO_LARGE, "events", "batch exceeds max size of 100", events)


def test_numbers_that_were_altered_are_only_looked_for_where_the_body_can_be_read_again():
    with pytest.raises(InvalidEvent):
        parse_event(event(metadata={"n": float(2**70)}) | {"timestamp": None}, LIMITS, NOW_MS)
    parsed, _ = parse_event(event(metadata={"n": float(2**70)}), LIMITS, NOW_MS)
    assert parsed.metadata == '{"n":1.1805916207174113e+21}'


# -- budget -------------------------------------------------------------------------------------------------------


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def full_batch() -> bytes:
    """A hundred events of nearly 16 KB: as much as a batch may hold."""
    return encode(
        {"events": [event(message="m" * 2048, stack="s" * 8192, metadata="d" * 4000, padding="p" * 1000)] * 100}
    )


def zstd(body: bytes) -> tuple[bytes, dict[str, str]]:
    return zstandard.compress(body), {"Content-Encoding": "zstd"}


def plain(body: bytes) -> tuple[bytes, dict[str, str]]:
    return body, {}


@pytest.mark.parametrize("pack", [plain, zstd])
def test_honest_batches_are_within_the_default_budget_of_every_worker(
    clock: Clock, pack: Callable[[bytes], tuple[bytes, dict[str, str]]]
):
    ingest = Ingest(work=WorkBudget(16_777_216, 67_108_864, share=1 / 4, monotonic=clock))
    body, headers = pack(full_batch())

    answers = [ingest.send(body, "/v1/ingest/batch", headers=headers).json for _ in range(5)]

    assert answers == [{"accepted": 100, "dropped": 0, "errors": []}] * 5


def test_address_that_has_overdrawn_its_budget_waits_and_others_do_not(clock: Clock):
    ingest = Ingest(work=WorkBudget(1_000_000, 1_000_000, monotonic=clock))
    body, headers = zstd(BOMBS["arrays"])

    first = ingest.send(body, "/v1/ingest/batch", headers=headers)
    second = ingest.send(body, "/v1/ingest/batch", headers=headers)
    other = ingest.send(body, "/v1/ingest/batch", headers=headers, remote_addr="198.51.100.7")
    single = ingest.send_event()

    assert (first.status_code, second.status_code, other.status_code) == (400, 429, 400)
    assert second.headers["Retry-After"] == "3"  # twice 1.6 MB, less the million it has
    assert single.status_code == 200
    clock.now_s += 2.3
    assert ingest.send(body, "/v1/ingest/batch", headers=headers).status_code == 400


@pytest.mark.parametrize("secret", [None, "wrong"])
def test_packed_body_is_charged_whatever_comes_of_it(clock: Clock, secret: str | None):
    ingest = Ingest(work=WorkBudget(1000, 1_000_000, monotonic=clock))
    bomb, headers = zstd(b" " * 3_000_000)

    refused = [ingest.send(bomb, "/v1/ingest/batch", headers=headers, secret=secret).status_code for _ in range(2)]

    assert refused == [400, 429]
    assert sum(n for (_, outcome), n in ingest.sink.counts.items() if outcome is Outcome.RATE_LIMITED) == 1
    assert ingest.sink.balance() == 0


def test_small_bodies_cost_nothing_of_the_budget(clock: Clock):
    ingest = Ingest(work=WorkBudget(1, 1, monotonic=clock), rate_limit=RateLimiter(0, 1))
    body, headers = zstd(encode(event()))

    assert [ingest.send(body, headers=headers).status_code for _ in range(50)] == [200] * 50
    assert [ingest.send_batch([event()] * 50).status_code for _ in range(50)] == [200] * 50


def test_budget_is_off_at_zero_and_forgets_the_address_unused_longest(clock: Clock):
    off = WorkBudget(0, 1, monotonic=clock)
    off.spend("192.0.2.1", 10**12)
    off.check("192.0.2.1")

    two = WorkBudget(1, 1, addresses_max=2, monotonic=clock)
    for address in ("192.0.2.1", "198.51.100.1", "203.0.113.1"):
        two.spend(address, 100)
    two.check("192.0.2.1")
    with pytest.raises(RateLimited):
        two.check("203.0.113.1")
