"""Claims belong to a process and end with it; racing processes make a ring once (RING-R7, RING-R12)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bloop.base.errors import LaneUnavailable, RingError
from bloop.ring import Consumer, Producer, Segment, layout, locks, mapping
from tests.integration.ring.processes import Board, sleep_for_ever
from tests.waiting import until


@pytest.fixture
def board():
    board = Board(64)
    yield board
    board.close()


def test_a_killed_producers_lane_is_free_at_once_and_keeps_what_it_pushed(name, processes, board):
    segment = Segment.create(name, lane_count=2, lane_bytes=4096)

    def produce() -> None:
        producer = Producer.claim(segment)
        producer.push(1, b"before the kill")
        producer.count(7, 0, 1, 3)
        board[0] = 1
        sleep_for_ever()

    pid = processes.start(produce)
    until(lambda: board[0] == 1, "its claim")
    taken = segment.stat().lanes[0]
    assert (taken.claimed, taken.producer_pid) == (True, pid)

    processes.kill(pid)

    free = segment.stat().lanes[0]
    assert (free.claimed, free.producer_pid, free.accepted) == (False, 0, 1)
    successor, consumer = Producer.claim(segment), Consumer.claim(segment)
    assert successor.lane == 0
    successor.push(1, b"after it")
    assert [payload for _, payload, _ in consumer.read(10, 4096).records] == [b"before the kill", b"after it"]
    assert [(cell.project_id, cell.value) for cell in consumer.cells()] == [(7, 3)]
    for handle in (successor, consumer, segment):
        handle.close()


def test_a_second_consumer_is_refused_until_the_first_is_dead(name, processes, board):
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)

    def consume() -> None:
        Consumer.claim(segment)
        board[0] = 1
        sleep_for_ever()

    pid = processes.start(consume)
    until(lambda: board[0] == 1, "its claim")
    assert segment.stat().consumer_claimed
    with pytest.raises(LaneUnavailable):
        Consumer.claim(segment)

    processes.kill(pid)

    Consumer.claim(segment).close()
    segment.close()


def test_a_lane_claimed_elsewhere_is_passed_over(name, processes, board):
    segment = Segment.create(name, lane_count=2, lane_bytes=4096)

    def produce() -> None:
        Producer.claim(segment)
        board[0] = 1
        sleep_for_ever()

    processes.start(produce)
    until(lambda: board[0] == 1, "its claim")
    producer = Producer.claim(segment)

    assert producer.lane == 1
    with pytest.raises(LaneUnavailable):
        Producer.claim(segment)
    producer.close()
    segment.close()


def test_a_fork_inherits_no_claim_and_cannot_end_its_parents(name, processes, board):
    segment = Segment.create(name, lane_count=3, lane_bytes=4096)
    producer, consumer = Producer.claim(segment), Consumer.claim(segment)

    def child() -> None:
        with pytest.raises(ValueError):
            producer.push(1, b"on the parent's lane")
        with pytest.raises(ValueError):
            consumer.read(1, 1)
        producer.close()
        consumer.close()
        with pytest.raises(LaneUnavailable):
            Consumer.claim(segment)
        own = Producer.claim(segment)
        assert own.lane == 1
        assert own.push(1, b"on a lane of its own")
        own.close()
        segment.close()  # the last handle: every descriptor of the ring is closed in the child

    processes.finish(processes.start(child))

    def outsider() -> None:
        with pytest.raises(LaneUnavailable):
            Consumer.claim(segment)
        board[0] = 1 + Producer.claim(segment).lane

    processes.finish(processes.start(outsider))
    assert board[0] == 2, "the parent's lane is still locked"
    assert producer.push(1, b"still working")
    for handle in (producer, consumer, segment):
        handle.close()


def test_a_ring_in_use_by_another_process_is_never_replaced(name, processes, board):
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)

    def produce() -> None:
        Producer.claim(segment)
        board[0] = 1
        sleep_for_ever()

    pid = processes.start(produce)
    until(lambda: board[0] == 1, "its claim")
    segment.close()
    with pytest.raises(RingError, match="in use"):
        Segment.create(name, lane_count=2, lane_bytes=4096)

    processes.kill(pid)

    Segment.create(name, lane_count=2, lane_bytes=4096).close()


def test_processes_that_create_at_once_get_the_same_ring(name, processes, board):
    for _ in range(10):
        board[63] = 0

        def create(slot: int) -> None:
            while not board[63]:
                os.sched_yield()
            segment = Segment.create(name, lane_count=8, lane_bytes=1 << 16)
            Producer.claim(segment)
            board[slot] = segment.ring_id
            sleep_for_ever()

        pids = [processes.start(lambda slot=slot: create(slot)) for slot in range(4)]
        board[63] = 1
        until(lambda: all(board[slot] for slot in range(4)), "all four to have tried")

        assert len({board[slot] for slot in range(4)}) == 1
        for slot, pid in enumerate(pids):
            board[slot] = 0
            processes.kill(pid)
        assert Segment.unlink(name)


def test_processes_that_race_to_replace_a_ring_claim_lanes_of_the_same_ring(name, processes, board):
    """Two configurations start at once: some get a ring and a lane, the others an error, none a ring of its own."""
    refused = 1
    for _ in range(10):
        board[63] = 0

        def create(slot: int) -> None:
            while not board[63]:
                os.sched_yield()
            try:
                segment = Segment.create(name, lane_count=4, lane_bytes=4096 * (1 + slot % 2))
                Producer.claim(segment)
            except RingError:
                board[slot] = refused
            else:
                board[slot] = segment.ring_id
            sleep_for_ever()

        pids = [processes.start(lambda slot=slot: create(slot)) for slot in range(4)]
        board[63] = 1
        until(lambda: all(board[slot] for slot in range(4)), "all four to have tried")
        current = Segment.attach(name)

        assert {board[slot] for slot in range(4)} - {refused} == {current.ring_id}
        current.close()
        for slot, pid in enumerate(pids):
            board[slot] = 0
            processes.kill(pid)
        assert Segment.unlink(name)


def test_a_new_generation_is_seen_by_every_process(name):
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)
    before = segment.generation
    code = "import sys; from bloop.ring import Segment; s = Segment.attach(sys.argv[1]); s.bump_generation(); s.close()"

    subprocess.run([sys.executable, "-c", code, name], check=True, timeout=30, cwd=os.getcwd())

    assert segment.generation > before
    segment.close()


def test_no_other_process_bumps_between_reading_a_generation_and_writing_the_next(name, processes, board, monkeypatch):
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)
    shared, time_ns = segment.shared(), mapping.time.time_ns

    def try_lock_elsewhere() -> None:
        board[0] = 1 + locks.try_lock(shared.fd, layout.LOCK_GENERATION)

    def overtaken() -> int:
        processes.finish(processes.start(try_lock_elsewhere))
        return time_ns()

    monkeypatch.setattr(mapping.time, "time_ns", overtaken)
    segment.bump_generation()
    assert board[0] == 1, "refused"

    monkeypatch.undo()
    processes.finish(processes.start(try_lock_elsewhere))
    assert board[0] == 2, "free again"
    segment.close()


def test_processes_that_bump_at_once_never_take_a_generation_back(name, processes, board):
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)

    def bump(slot: int) -> None:
        for _ in range(200):
            before = segment.generation
            segment.bump_generation()
            assert segment.generation > before
        board[slot] = 1

    pids = [processes.start(lambda slot=slot: bump(slot)) for slot in range(3)]
    seen = segment.generation
    while not all(board[slot] for slot in range(3)):
        now = segment.generation
        assert now >= seen
        seen = now

    for pid in pids:
        processes.finish(pid)
    segment.close()
