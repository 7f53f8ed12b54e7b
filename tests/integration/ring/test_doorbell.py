"""A sleeping consumer is woken by a push, always and soon (RING-R11)."""

from __future__ import annotations

import os
import signal
import time

import pytest

from bloop.ring import Consumer, Producer, Segment, layout
from tests.integration.ring.processes import Board, sleep_for_ever
from tests.waiting import until

LOST_WAKE_UP_S = 5.0  # what one would cost: the timeout of the wait


@pytest.fixture
def board():
    board = Board(8)
    yield board
    board.close()


def consume(segment: Segment, board: Board) -> None:
    """Store nothing, just say how long the slowest record took, in ns, and how many there were."""
    consumer = Consumer.claim(segment)
    while True:
        batch = consumer.read(1000, 1 << 20)
        now_ns = time.monotonic_ns()
        for _, payload, _ in batch.records:
            board[0] = max(board[0], now_ns - int.from_bytes(payload, "little"))
            board[1] += 1
        consumer.release(batch)
        if not batch.records:
            consumer.wait(LOST_WAKE_UP_S)


def stamp() -> bytes:
    return time.monotonic_ns().to_bytes(8, "little")


def test_a_push_wakes_a_sleeping_consumer_soon(name, processes, board):
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)
    processes.start(lambda: consume(segment, board))
    producer = Producer.claim(segment)
    words = segment.shared().words

    for n in range(200):
        until(lambda: words[layout.W_ASLEEP] != 0, "the consumer to fall asleep")
        assert producer.push(1, stamp())
        until(lambda n=n: board[1] == n + 1, "the record to arrive")

    assert board[0] < 1e9, "no wake-up waits for the timeout"
    producer.close()
    segment.close()


def test_no_push_is_overlooked_by_a_consumer_that_is_just_falling_asleep(name, processes, board):
    """Each producer pushes as soon as its last record is gone: that is when the consumer turns in."""
    segment = Segment.create(name, lane_count=2, lane_bytes=4096)
    rounds = 4000

    def produce() -> None:
        producer = Producer.claim(segment)
        words, first = segment.shared().words, segment.shared().geometry.lane_word(producer.lane)
        for _ in range(rounds):
            assert producer.push(1, stamp())
            while words[first + layout.L_HEAD] & layout.POSITION_MASK != words[first + layout.L_TAIL]:
                os.sched_yield()

    consumer_pid = processes.start(lambda: consume(segment, board))
    for pid in [processes.start(produce), processes.start(produce)]:
        processes.finish(pid)

    assert board[1] == 2 * rounds
    assert board[0] < 1e9, "no wake-up waits for the timeout"
    until(lambda: segment.shared().words[layout.W_ASLEEP] != 0, "the consumer to fall asleep")
    assert segment.shared().bell.value <= segment.lane_count
    processes.kill(consumer_pid)
    segment.close()


def test_a_signal_ends_the_wait(name, processes, board):
    segment = Segment.create(name, lane_count=1, lane_bytes=4096)

    def wait() -> None:
        signal.signal(signal.SIGTERM, lambda signum, frame: None)
        consumer = Consumer.claim(segment)
        board[0] = 1
        board[1] = 1 + consumer.wait(60)

    pid = processes.start(wait)
    until(lambda: board[0] == 1 and segment.shared().words[layout.W_ASLEEP] != 0, "the consumer to fall asleep")

    def signalled() -> bool:
        if not board[1]:
            os.kill(pid, signal.SIGTERM)  # again: the first may have come just before the sleep
        return board[1] != 0

    until(signalled, "the wait to end")
    assert board[1] == 1, "it says that nothing was pushed"
    processes.finish(pid)
    segment.close()


def test_a_producer_killed_after_ringing_leaves_the_doorbell_in_order(name, processes, board):
    segment = Segment.create(name, lane_count=2, lane_bytes=4096)
    processes.start(lambda: consume(segment, board))

    def push_once() -> None:
        Producer.claim(segment).push(1, stamp())
        board[2] = 1
        sleep_for_ever()

    for n in range(10):
        until(lambda: segment.shared().words[layout.W_ASLEEP] != 0, "the consumer to fall asleep")
        board[2] = 0
        pid = processes.start(push_once)
        until(lambda: board[2] == 1, "its push")
        processes.kill(pid)
        until(lambda n=n: board[1] == n + 1, "the record to arrive")

    assert board[0] < 1e9
    segment.close()
