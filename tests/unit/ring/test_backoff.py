from __future__ import annotations

import pytest

from bloop.ring import Consumer, Producer, WriterState
from bloop.ring.backoff import CREDIT_S_MAX, SHARE_MAX, STANDSTILL_S, WAIT_S_MAX, Patience


class Time:
    """A clock that moves only during a sleep, and a writer that works in the meantime."""

    def __init__(self) -> None:
        self.now_s = self.slept_s = 0.0
        self.progress = 0
        self.meanwhile = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s += seconds
        self.meanwhile()

    def patience(self) -> Patience:
        return Patience(lambda: self.now_s, self.sleep)


@pytest.fixture
def time() -> Time:
    return Time()


def test_a_condition_that_is_true_already_costs_no_wait(time: Time):
    assert time.patience().wait_until(lambda: True, lambda: 0)
    assert time.slept_s == 0


def test_a_wait_ends_as_soon_as_the_writer_has_made_room(time: Time):
    assert time.patience().wait_until(lambda: time.now_s >= 0.002, lambda: 0)
    assert time.slept_s == pytest.approx(0.002)


def test_one_wait_is_bounded(time: Time):
    """PATIENCE-1"""
    assert not time.patience().wait_until(lambda: False, lambda: 0)
    assert time.slept_s == pytest.approx(WAIT_S_MAX, abs=0.0006)


def test_the_records_of_one_batch_share_what_is_waited_at_once(time: Time):
    """PATIENCE-1"""
    patience = time.patience()

    for number in range(100):
        patience.wait_until(lambda: False, lambda number=number: number)

    assert time.slept_s <= CREDIT_S_MAX / (1 - SHARE_MAX) + WAIT_S_MAX


def test_a_share_of_the_time_is_waited_at_most_however_long_it_goes_on(time: Time):
    """PATIENCE-1"""
    patience = time.patience()

    for number in range(10_000):
        time.now_s += 0.001  # what else the worker does
        patience.wait_until(lambda: False, lambda number=number: number)

    assert time.slept_s <= SHARE_MAX * time.now_s + CREDIT_S_MAX + WAIT_S_MAX
    assert time.slept_s > SHARE_MAX * time.now_s / 2


def test_a_writer_that_stands_still_is_not_waited_for_and_is_again_once_it_moves(time: Time):
    """PATIENCE-2"""
    patience = time.patience()
    while time.now_s <= STANDSTILL_S:
        patience.wait_until(lambda: False, lambda: 7)
        time.now_s += 0.01
    before = time.slept_s

    for _ in range(100):
        time.now_s += 0.01
        patience.wait_until(lambda: False, lambda: 7)
    assert time.slept_s == before

    patience.wait_until(lambda: False, lambda: 8)
    assert time.slept_s > before


@pytest.mark.parametrize("state", [state for state in WriterState if state is not WriterState.RUNNING])
def test_a_producer_waits_for_a_working_writer_only(segment, consumer: Consumer, time: Time, state: WriterState):
    """PATIENCE-2"""
    producer = Producer.claim(segment, patience=time.patience())
    consumer.heartbeat(1, state)

    assert [producer.push(1, bytes(240)) for _ in range(5)] == [True] * 4 + [False]

    assert time.slept_s == 0
    producer.close()


def test_a_full_lane_takes_the_record_when_the_writer_makes_room_in_time(segment, consumer: Consumer, time: Time):
    producer = Producer.claim(segment, patience=time.patience())
    consumer.heartbeat(1, WriterState.RUNNING)
    time.meanwhile = lambda: consumer.release(consumer.read(1, 1 << 20))

    assert all(producer.push(1, bytes(240)) for _ in range(6))

    assert segment.stat().lanes[0].dropped == 0
    assert 0 < time.slept_s <= CREDIT_S_MAX
    producer.close()
