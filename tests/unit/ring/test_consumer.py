from __future__ import annotations

import os
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop.base.errors import LaneUnavailable, RingMismatch
from bloop.ring import Consumer, Producer, Segment, layout
from tests.unit.ring.support import abandon, fresh_ring_name, overwrite, run_until_killed

ALL = 10_000, 1 << 30


def payloads(batch) -> list[bytes]:
    return [payload for _, payload, _ in batch.records]


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_place_is_taken_by_one_consumer_at_a_time(segment, consumer):
    """RING-R7"""
    with pytest.raises(LaneUnavailable, match="another process is reading"):
        Consumer.claim(segment)

    consumer.close()
    Consumer.claim(segment).close()


def test_reading_moves_nothing_until_the_batch_is_released(segment, producer, consumer):
    """RING-R6: a COMMIT that fails needs nothing undone."""
    producer.push(1, b"one")
    producer.push(1, b"two")

    first, again = consumer.read(*ALL), consumer.read(*ALL)
    assert payloads(first) == payloads(again) == [b"one", b"two"]
    assert first.positions == again.positions == {0: 48}
    assert (consumer.pending(), segment.stat().lanes[0].tail) == (2, 0)

    consumer.release(again)
    assert (consumer.pending(), segment.stat().lanes[0].tail) == (0, 48)
    assert consumer.read(*ALL).positions == {}


def test_releasing_a_batch_twice_is_a_broken_invariant(producer, consumer):
    producer.push(1, b"one")
    batch = consumer.read(*ALL)
    consumer.release(batch)
    producer.push(1, b"two")
    consumer.release(consumer.read(*ALL))

    with pytest.raises(AssertionError, match="released twice"):
        consumer.release(batch)


def test_a_batch_holds_at_most_records_max(producer, consumer):
    for n in range(5):
        producer.push(n, b"")

    batch = consumer.read(3, 1 << 20)

    assert [kind for kind, _, _ in batch.records] == [0, 1, 2]
    assert batch.full
    consumer.release(batch)
    rest = consumer.read(3, 1 << 20)
    assert ([kind for kind, _, _ in rest.records], rest.full) == ([3, 4], False)


def test_a_batch_holds_at_most_bytes_max_but_always_one_record(producer, consumer):
    for size in (200, 100, 100, 100):
        producer.push(1, bytes(size))

    sizes = []
    while (batch := consumer.read(10, 150)).records:
        sizes.append([len(payload) for payload in payloads(batch)])
        assert batch.bytes == sum(sizes[-1])
        consumer.release(batch)

    assert sizes == [[200], [100], [100], [100]]


def test_lanes_take_turns_so_that_a_busy_one_does_not_starve_the_others(name):
    segment = Segment.create(name, lane_count=3, lane_bytes=1 << 16)
    producers = [Producer.claim(segment) for _ in range(3)]
    consumer = Consumer.claim(segment)
    for _ in range(1000):
        producers[0].push(0, b"busy")
    for _ in range(100):
        producers[1].push(1, b"calm")
        producers[2].push(2, b"calm")

    lanes = [lane for _, _, lane in consumer.read(300, 1 << 20).records]

    assert {lane: lanes.count(lane) >= 64 for lane in range(3)} == {0: True, 1: True, 2: True}
    first_lanes = {consumer.read(1, 1 << 20).records[0][2] for _ in range(3)}
    assert first_lanes == {0, 1, 2}, "small batches start with another lane each time"
    for handle in (*producers, consumer, segment):
        handle.close()


def test_a_crash_between_commit_and_release_skips_what_was_stored(segment, producer, consumer):
    """RING-R6"""
    producer.push(1, b"stored")
    stored = consumer.read(*ALL).positions
    producer.push(1, b"new")
    consumer.close()
    successor = Consumer.claim(segment)
    assert successor.pending() == 2

    successor.resume(stored)

    assert successor.pending() == 1
    assert payloads(successor.read(*ALL)) == [b"new"]
    successor.close()


def test_resuming_never_moves_a_tail_back(producer, consumer):
    """RING-R6: the stored positions may be those of an older backup."""
    producer.push(1, b"one")
    early = consumer.read(*ALL)
    consumer.release(early)
    producer.push(1, b"two")
    consumer.release(consumer.read(*ALL))

    consumer.resume(early.positions)

    assert (consumer.read(*ALL).records, consumer.pending()) == ([], 0)


def test_a_stored_position_past_the_lanes_head_is_refused(consumer):
    with pytest.raises(RingMismatch, match="lane 1 was stored up to 8, past the end"):
        consumer.resume({1: 8})


def test_a_consumer_killed_at_any_instruction_of_a_release_stores_nothing_twice(segment, producer):
    """RING-R6: whatever part of the release was done, resume completes it, and the count of what waits is exact."""
    for instruction in count():
        for n in range(3):
            assert producer.push(n, b"x" * 40)
        dying = Consumer.claim(segment)
        batch = dying.read(2, 1 << 20)
        killed = run_until_killed(dying.release, batch, instruction=instruction)
        dying.close()

        successor = Consumer.claim(segment)
        successor.resume(batch.positions)
        assert successor.pending() == 1
        rest = successor.read(*ALL)
        assert [kind for kind, _, _ in rest.records] == [2]
        successor.release(rest)
        assert successor.pending() == 0
        successor.close()
        if not killed:
            break

    assert instruction > 30


def test_a_consumer_killed_at_any_instruction_of_a_read_leaves_the_count_of_what_waits_exact(segment, producer):
    """RING-R8"""
    for instruction in count():
        dying = Consumer.claim(segment)
        assert producer.push(1, b"one")
        dying.release(dying.read(*ALL))
        assert producer.push(1, b"two")
        assert producer.push(1, b"three")
        killed = run_until_killed(dying.read, *ALL, instruction=instruction)
        dying.close()

        successor = Consumer.claim(segment)
        assert successor.pending() == 2
        successor.release(successor.read(*ALL))
        assert successor.pending() == 0
        successor.close()
        if not killed:
            break

    assert instruction > 100


def test_a_record_that_does_not_verify_waits_while_its_producer_lives(segment, producer):
    """RING-R4: on a weakly ordered CPU the head may be seen before the bytes below it."""
    clock = Clock()
    consumer = Consumer.claim(segment, monotonic=clock)
    second = Producer.claim(segment)
    producer.push(1, b"late")
    producer.push(2, b"after it")
    second.push(3, b"other lane")
    words = segment.shared().words
    at = segment.shared().geometry.area(0) // 8 + 2
    on_its_way, words[at] = words[at], 0

    early = consumer.read(*ALL)
    assert (payloads(early), early.torn, early.positions) == ([b"other lane"], 0, {1: 32})

    clock.now_s += layout.VISIBLE_WITHIN_S / 2
    words[at] = on_its_way
    late = consumer.read(*ALL)
    assert (sorted(late.records), late.torn) == ([(1, b"late", 0), (2, b"after it", 0), (3, b"other lane", 1)], 0)
    consumer.close()
    second.close()


def test_a_record_that_never_verifies_does_not_block_a_living_producers_lane_for_ever(segment, producer):
    """RING-R4"""
    clock = Clock()
    consumer = Consumer.claim(segment, monotonic=clock)
    producer.push(1, b"damaged")
    producer.push(2, b"after it")
    overwrite(segment, 0, 16, b"DAMAGED")

    assert (consumer.read(*ALL).records, consumer.read(*ALL).torn) == ([], 0)
    clock.now_s += layout.VISIBLE_WITHIN_S
    batch = consumer.read(*ALL)

    assert (payloads(batch), batch.torn) == ([b"after it"], 1)
    consumer.close()


def test_a_torn_record_of_a_dead_producer_is_skipped_and_counted_at_once(segment, consumer):
    """RING-R4, RING-R5"""
    producer = Producer.claim(segment)
    for payload in (b"one", b"two", b"three"):
        producer.push(1, payload)
    abandon(producer)
    overwrite(segment, 0, 24 + 16, b"T")

    batch = consumer.read(*ALL)
    assert (payloads(batch), batch.torn, batch.positions) == ([b"one", b"three"], 1, {0: 72})

    consumer.release(batch)
    assert consumer.pending() == 0


def test_a_torn_last_record_is_skipped_and_the_next_producer_continues_behind_it(segment, consumer):
    producer = Producer.claim(segment)
    producer.push(1, b"torn")
    abandon(producer)
    overwrite(segment, 0, 16, b"T")
    batch = consumer.read(*ALL)
    consumer.release(batch)
    successor = Producer.claim(segment)
    successor.push(1, b"whole")

    assert (batch.torn, payloads(consumer.read(*ALL))) == (1, [b"whole"])
    successor.close()


@pytest.mark.parametrize("length", [0xFFFF_FFFF, 0xFFFF_FFFE, 0x7FFF_FFFF, 1024, 4096, 0])
def test_a_garbage_length_costs_what_waits_in_its_lane_and_nothing_else(segment, consumer, length):
    """RING-R5: there is no telling where the next record starts, so all of them are counted as torn."""
    producer = Producer.claim(segment)
    producer.push(1, b"whole")
    for n in range(4):
        producer.push(n, b"lost")
    abandon(producer)
    overwrite(segment, 0, 24, length.to_bytes(4, "little"))

    batch = consumer.read(*ALL)
    assert (payloads(batch), batch.torn, batch.positions) == ([b"whole"], 4, {0: 24 * 5})

    consumer.release(batch)
    assert consumer.pending() == 0


def test_a_record_of_an_earlier_lap_never_passes_for_a_new_one(segment, producer, consumer):
    """RING-R3: same place, same size, a checksum that was right one lap ago."""
    assert all(producer.push(1, b"a" * 240) for _ in range(4))
    shared = segment.shared()
    start = shared.geometry.area(0)
    old = bytes(shared.area[start : start + 256])
    consumer.release(consumer.read(*ALL))
    producer.push(1, b"b" * 240)
    overwrite(segment, 0, 0, old)

    batch = consumer.read(*ALL)

    assert (batch.records, batch.torn) == ([], 0)


def test_a_wrap_marker_of_an_earlier_lap_does_not_end_this_one(segment, producer, consumer):
    """RING-R3: taken for a new one, it would lead past records that are there."""
    for size in (240, 240, 240, 250, 232, 232):  # the fourth wraps at 768, the last two lead back there
        assert producer.push(1, bytes(size))
        consumer.release(consumer.read(*ALL))
    position = segment.stat().lanes[0].head
    assert position % 1024 == 768
    producer.push(1, bytes(240))  # to the very end
    producer.push(2, b"after it")
    overwrite(segment, 0, position, layout.wrap_marker(position - 1024, 1024).to_bytes(8, "little"))
    producer.close()

    batch = consumer.read(*ALL)

    assert (batch.records, batch.torn) == ([], 2), "given up and counted, not passed over"


@pytest.mark.parametrize("byte", range(16))
def test_every_byte_of_a_header_is_covered(segment, consumer, byte):
    """RING-R3: the kind and the flags too."""
    producer = Producer.claim(segment)
    producer.push(5, b"payload")
    abandon(producer)
    overwrite(segment, 0, byte, bytes([segment.shared().area[segment.shared().geometry.area(0) + byte] ^ 0x10]))

    batch = consumer.read(*ALL)

    assert (batch.records, batch.torn) == ([], 1)


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 200), min_size=1, max_size=12),
    lead=st.integers(0, 60),
    damage=st.lists(st.tuples(st.integers(0, 1023), st.binary(min_size=1, max_size=40)), max_size=4),
    records_max=st.integers(1, 5),
)
def test_reading_random_bytes_ends_and_accounts_for_every_record(sizes, lead, damage, records_max):
    """RING-R5"""
    with fresh_ring_name() as name:
        segment = Segment.create(name, lane_count=1, lane_bytes=1024)
        producer, consumer = Producer.claim(segment), Consumer.claim(segment)
        for _ in range(lead):
            producer.push(0, b"")
            consumer.release(consumer.read(*ALL))
        sent = [payload for payload in (os.urandom(size) for size in sizes) if producer.push(1, payload)]
        abandon(producer)
        for position, data in damage:
            overwrite(segment, 0, position, data[: 1024 - position])

        got, torn, reads = [], 0, 0
        while (batch := consumer.read(records_max, 1 << 20)).positions:
            got, torn, reads = got + payloads(batch), torn + batch.torn, reads + 1
            consumer.release(batch)

        assert len(got) + torn == len(sent)
        remaining = iter(sent)
        assert all(payload in remaining for payload in got), "in order, none invented, none twice"
        assert reads <= len(sent)
        assert (consumer.pending(), segment.stat().used_bytes) == (0, 0)
        successor = Producer.claim(segment)
        assert successor.push(1, b"healthy")
        assert payloads(consumer.read(*ALL)) == [b"healthy"]
        for handle in (successor, consumer, segment):
            handle.close()


def test_what_waited_before_the_consumer_came_is_counted_exactly(segment, producer):
    for _ in range(5):
        producer.push(1, bytes(100))
    consumer = Consumer.claim(segment)

    assert consumer.pending() == 5
    consumer.close()


def test_fullest_is_the_fill_of_the_fullest_lane(segment, producer, consumer):
    second = Producer.claim(segment)
    producer.push(1, bytes(48))
    second.push(1, bytes(240))

    assert consumer.fullest() == 0.25
    second.close()


def test_waiting_for_nothing_ends_after_its_timeout(consumer):
    assert consumer.wait(0.01) is False
    assert consumer.wait(0) is False


def test_waiting_returns_at_once_for_what_was_pushed_after_the_last_read(producer, consumer):
    """RING-R11"""
    consumer.read(*ALL)
    producer.push(1, b"x")

    assert consumer.wait(60) is True


def test_waiting_returns_at_once_for_what_waited_before_the_consumer_came(segment, producer):
    producer.push(1, b"x")
    consumer = Consumer.claim(segment)

    assert consumer.wait(60) is True
    consumer.close()


def test_a_batch_that_could_not_be_stored_does_not_keep_its_consumer_awake(producer, consumer):
    producer.push(1, b"x")
    consumer.read(*ALL)

    assert consumer.wait(0.01) is False


def test_waiting_returns_at_once_after_a_released_batch_that_was_full(producer, consumer):
    for _ in range(3):
        producer.push(1, b"x")
    consumer.release(consumer.read(2, 1 << 20))

    assert consumer.wait(60) is True
    consumer.release(consumer.read(2, 1 << 20))
    assert consumer.wait(0.01) is False


def test_a_producer_rings_at_most_once_per_sleep(segment, producer, consumer):
    """RING-R11: however much is pushed while the consumer does not wake, the doorbell's value stays small."""
    shared = segment.shared()
    shared.words[layout.W_ASLEEP] = 12345

    for _ in range(20):
        producer.push(1, b"x")

    assert shared.bell.value == 1
    shared.words[layout.W_ASLEEP] = 12346
    producer.push(1, b"x")
    assert shared.bell.value == 2


def test_a_producer_does_not_ring_a_consumer_that_is_awake(segment, producer, consumer):
    producer.push(1, b"x")

    assert segment.shared().bell.value == 0


def test_rings_meant_for_a_dead_consumer_are_taken_back_by_the_next(segment, producer):
    """RING-R11: it died asleep."""
    shared = segment.shared()
    shared.words[layout.W_ASLEEP] = 12345
    producer.push(1, b"x")
    assert shared.bell.value == 1

    consumer = Consumer.claim(segment)

    assert (shared.bell.value, shared.words[layout.W_ASLEEP]) == (0, 0)
    consumer.close()


def test_a_closed_consumer_refuses_and_closing_again_is_harmless(segment):
    consumer = Consumer.claim(segment)
    consumer.close()
    consumer.close()

    for call in (lambda: consumer.read(*ALL), consumer.cells, consumer.pending, lambda: consumer.wait(0)):
        with pytest.raises(ValueError):
            call()
