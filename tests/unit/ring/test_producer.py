from __future__ import annotations

import os
from itertools import count

import pytest

from bloop.base.errors import LaneUnavailable, RingMismatch
from bloop.ring import Cell, Consumer, Producer, Segment, layout
from tests.unit.ring.support import abandon, run_until_killed

EVENT, SESSION = 0, 1  # categories: the ring only knows their numbers


def drain(consumer: Consumer) -> list[bytes]:
    batch = consumer.read(10_000, 1 << 30)
    assert batch.torn == 0
    consumer.release(batch)
    return [payload for _, payload, _ in batch.records]


def move_to(segment: Segment, offset: int) -> None:
    """Bring the empty first lane of 1024 bytes to where the next record starts at `offset` of the area."""
    words, first = segment.shared().words, segment.shared().geometry.lane_word(0)
    tail = words[first + layout.L_TAIL]
    onward = (offset - tail) % 1024
    words[first + layout.L_HEAD] += onward
    words[first + layout.L_TAIL] += onward


def test_lanes_are_claimed_from_the_lowest_free_one(name):
    segment = Segment.create(name, lane_count=3, lane_bytes=1024)
    producers = [Producer.claim(segment) for _ in range(3)]
    assert [producer.lane for producer in producers] == [0, 1, 2]

    with pytest.raises(LaneUnavailable, match="all 3 lanes"):
        Producer.claim(segment)

    producers[1].close()
    producers[1] = Producer.claim(segment)
    assert producers[1].lane == 1
    for handle in (*producers, segment):
        handle.close()


def test_records_arrive_with_their_form_in_order(producer, consumer):
    pushed = [(form, os.urandom(size), 0) for form, size in ((0, 0), (7, 1), (0xFFFF_FFFF, 200), (1 | 3 << 16, 8))]

    for form, payload, _ in pushed:
        assert producer.push(form, payload)

    assert consumer.read(10, 4096).records == pushed


@pytest.mark.parametrize("form", [-1, 0x1_0000_0000])
def test_a_form_that_is_no_u32_leaves_no_trace(producer, consumer, form):
    with pytest.raises(Exception, match=r"out of range|format"):
        producer.push(form, b"x")

    assert drain(consumer) == []
    assert producer.push(1, b"next")
    assert drain(consumer) == [b"next"]


def test_a_full_lane_counts_the_drop_and_takes_records_again_once_drained(segment, producer, consumer):
    """RING-R10"""
    payload = bytes(240)
    assert [producer.push(1, payload) for _ in range(5)] == [True] * 4 + [False]
    lane = segment.stat().lanes[0]
    assert (lane.accepted, lane.dropped, lane.used_bytes) == (4, 1, 1024)

    assert len(drain(consumer)) == 4

    assert producer.push(1, payload)
    assert segment.stat().lanes[0].accepted == 5


@pytest.mark.parametrize("offset", range(0, 1024, 8))
def test_an_empty_lane_takes_the_largest_payload_wherever_it_stands(producer, consumer, segment, offset):
    """RING-R10"""
    move_to(segment, offset)
    largest = os.urandom(segment.payload_bytes_max)

    assert producer.push(1, largest)
    assert drain(consumer) == [largest]


def test_a_payload_past_the_limit_is_a_mistake_of_the_caller_and_not_a_drop(producer, segment):
    with pytest.raises(ValueError, match="257 bytes; this ring takes 256"):
        producer.push(1, bytes(257))

    assert segment.stat().lanes[0].dropped == 0


def test_wrapping_many_times_keeps_every_record(producer, consumer):
    for lap in range(200):
        sent = [os.urandom((lap * 37 + n * 53) % 256) for n in range(3)]

        assert all(producer.push(lap, payload) for payload in sent)
        assert drain(consumer) == sent


def test_a_closed_producer_refuses_and_closing_again_is_harmless(segment):
    producer = Producer.claim(segment)
    producer.close()
    producer.close()

    with pytest.raises(ValueError):
        producer.push(1, b"x")
    with pytest.raises(ValueError):
        producer.count(1, EVENT, 1)
    assert segment.stat().lanes[0].accepted == 0


def test_a_lane_whose_words_contradict_each_other_is_refused_and_left_free(segment):
    words = segment.shared().words
    words[segment.shared().geometry.lane_word(0) + layout.L_TAIL] = 4096

    with pytest.raises(RingMismatch, match=r"lane 0 .* is damaged: head 0, tail 4096"):
        Producer.claim(segment)
    with pytest.raises(RingMismatch, match=r"lane 0 .* is damaged: head 0, tail 4096"):
        Consumer.claim(segment)

    found = segment.stat()
    assert (found.lanes[0].claimed, found.consumer_claimed) == (False, False)
    words[segment.shared().geometry.lane_word(0) + layout.L_TAIL] = 0


@pytest.mark.parametrize("offset", [0, 912, 1008], ids=["plain", "wraps", "wraps with room for a header only"])
def test_a_producer_killed_at_any_instruction_of_a_push_leaves_all_of_the_record_or_nothing(segment, consumer, offset):
    """RING-R2, RING-R8: no torn record, no record of the dead in the way of its successor, no count that is off."""
    published = 0
    for instruction in count():
        producer = Producer.claim(segment)
        move_to(segment, offset)
        before = segment.stat().lanes[0].accepted

        killed = run_until_killed(producer.push, 1, b"k" * 150, instruction=instruction)
        abandon(producer)

        got_in = segment.stat().lanes[0].accepted - before
        assert consumer.pending() == got_in
        successor = Producer.claim(segment)
        assert successor.push(1, b"s" * 180)
        assert segment.stat().lanes[0].accepted == before + got_in + 1
        assert drain(consumer) == [b"k" * 150] * got_in + [b"s" * 180]
        assert consumer.pending() == 0
        successor.close()
        published += got_in
        if not killed:
            break

    assert instruction > 60
    assert 0 < published < instruction, "some kills came before, some after the record was published"


def test_a_producer_interrupted_at_any_instruction_can_go_on_itself(segment, producer, consumer):
    """An exception out of a signal handler is not the end of the process: the next push starts from the shared head."""
    for instruction in count():
        before = segment.stat().lanes[0].accepted
        killed = run_until_killed(producer.push, 1, b"k" * 150, instruction=instruction)
        got_in = segment.stat().lanes[0].accepted - before

        assert producer.push(1, b"next")
        assert drain(consumer) == [b"k" * 150] * got_in + [b"next"]
        assert consumer.pending() == 0
        if not killed:
            break


def test_a_producer_killed_at_any_instruction_of_a_count_loses_at_most_that_count(segment, consumer):
    """RING-R9"""
    expected: dict[int, int] = {}
    for instruction in count():
        producer = Producer.claim(segment)
        project_id = 1 + instruction // 3  # a new cell at times, a known one at others
        killed = run_until_killed(producer.count, project_id, EVENT, 4, 10, instruction=instruction)
        abandon(producer)

        values = {cell.project_id: cell.value for cell in consumer.cells()}
        assert values.get(project_id, 0) - expected.get(project_id, 0) in (0, 10)
        assert values.items() >= {k: v for k, v in expected.items() if k != project_id}.items()
        expected = values
        if not killed:
            break

    successor = Producer.claim(segment)
    successor.count(1, EVENT, 4, 5)
    assert {cell.project_id: cell.value for cell in consumer.cells()}[1] == expected.get(1, 0) + 5
    successor.close()


def test_counts_are_kept_by_project_category_and_outcome_and_outlive_their_producer(segment, consumer):
    """RING-R9"""
    first = Producer.claim(segment)
    first.count(7, EVENT, 1, 3)
    first.count(7, EVENT, 3)
    first.count(7, SESSION, 3, 9)
    first.count(8, EVENT, 1)
    first.count(0, EVENT, 7, 2)
    first.count(0, 15, 31)
    abandon(first)
    second = Producer.claim(segment)

    second.count(7, EVENT, 1)
    second.count((1 << 47) - 1, 15, 31)

    assert sorted(consumer.cells()) == [
        Cell(0, 0, EVENT, 7, 2),
        Cell(0, 0, 15, 31, 1),
        Cell(0, 7, EVENT, 1, 4),
        Cell(0, 7, EVENT, 3, 1),
        Cell(0, 7, SESSION, 3, 9),
        Cell(0, 8, EVENT, 1, 1),
        Cell(0, (1 << 47) - 1, 15, 31, 1),
    ]
    second.close()


def test_each_lane_has_counts_of_its_own(segment, consumer):
    producers = [Producer.claim(segment), Producer.claim(segment)]

    for lane, producer in enumerate(producers):
        producer.count(1, EVENT, 1, lane + 1)

    assert consumer.cells() == [Cell(0, 1, EVENT, 1, 1), Cell(1, 1, EVENT, 1, 2)]
    for producer in producers:
        producer.close()


def test_what_finds_the_table_full_is_counted_under_no_project_with_its_category_and_outcome(segment, consumer):
    producer = Producer.claim(segment)
    for project_id in range(1, layout.CELL_COUNT + 1):
        producer.count(project_id, EVENT, 3)

    producer.count(10_000, EVENT, 3, 5)
    producer.count(10_001, SESSION, 4)
    abandon(producer)
    successor = Producer.claim(segment)
    successor.count(10_000, EVENT, 3)
    successor.count(layout.CELL_COUNT, EVENT, 3)

    cells = {key: value for _, *key, value in consumer.cells() for key in [tuple(key)]}
    assert (cells[0, EVENT, 3], cells[0, SESSION, 4]) == (6, 1)
    assert (cells[1, EVENT, 3], cells[layout.CELL_COUNT, EVENT, 3]) == (1, 2)
    assert len(cells) == layout.CELL_COUNT + 2
    successor.close()


@pytest.mark.parametrize("key", [(-1, 0, 1), (1 << 47, 0, 1), (1, -1, 1), (1, 16, 1), (1, 0, 0), (1, 0, 32)])
def test_what_has_no_cell_is_refused(producer, consumer, key):
    with pytest.raises(ValueError, match="cannot count"):
        producer.count(*key)

    assert consumer.cells() == []
