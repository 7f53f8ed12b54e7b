"""The generator measures what it says it measures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from bloop.bench.driver import Driver, LoadError, count_events, parse_answer
from tests.unit.bench.stub_server import ACCEPTED, StubServer, answer

REQUEST = (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", b"hello")
LONG_S = 60.0  # a closed loop in these tests ends because its requests are used up


@contextmanager
def driving(server: StubServer, connections: int = 2) -> Iterator[Driver]:
    with server.serving(), closing(Driver("127.0.0.1", server.port, connections)) as driver:
        yield driver


def every(interval_s: float, count: int) -> list[float]:
    return [interval_s * number for number in range(count)]


def test_open_loop_counts_latency_from_when_a_request_was_due_so_a_stall_shows_in_all_that_waited() -> None:
    stalled_until = time.monotonic() + 0.2

    def stall(number: int) -> None:
        if number == 0:
            threading.Event().wait(stalled_until - time.monotonic())  # nobody sets it: the time it takes is the stall

    with driving(StubServer(before_reply=stall), connections=1) as driver:
        start_at, interval_s = time.monotonic(), 0.002
        answers = driver.open_loop([REQUEST] * 50, start_at, every(interval_s, 50))

    assert answers.answered == 50
    for index, latency_s in zip(answers.index, answers.latency_s, strict=True):
        assert latency_s >= stalled_until - (start_at + index * interval_s)


def test_open_loop_never_sends_before_a_request_is_due() -> None:
    with driving(StubServer()) as driver:
        start_at, interval_s = time.monotonic() + 0.01, 0.005
        answers = driver.open_loop([REQUEST] * 10, start_at, every(interval_s, 10))

    for index, at in zip(answers.index, answers.answered_at, strict=True):
        assert at >= start_at + index * interval_s
    assert min(answers.latency_s) >= 0


def test_open_loop_sends_every_request_once_over_the_connections_it_has() -> None:
    server = StubServer()
    with driving(server, connections=4) as driver:
        answers = driver.open_loop([REQUEST] * 30, time.monotonic(), every(0.0001, 30))

    assert len(server.requests) == 30
    assert sorted(answers.index) == list(range(30))
    assert answers.accepted == 30


def test_closed_loop_ends_when_the_requests_are_used_up() -> None:
    server = StubServer()
    with driving(server, connections=3) as driver:
        answers = driver.closed_loop([REQUEST] * 20, time.monotonic(), LONG_S)

    assert (answers.accepted, answers.answered, len(server.requests)) == (20, 20, 20)


def test_closed_loop_sends_nothing_after_its_time_and_waits_for_what_is_in_flight() -> None:
    server = StubServer()
    with driving(server, connections=2) as driver:
        answers = driver.closed_loop([REQUEST] * 20, time.monotonic(), 0.0)

    assert (answers.answered, len(server.requests)) == (2, 2)


def test_closed_loop_with_more_connections_than_requests_ends() -> None:
    with driving(StubServer(), connections=5) as driver:
        answers = driver.closed_loop([REQUEST] * 3, time.monotonic(), LONG_S)

    assert answers.answered == 3


@pytest.mark.parametrize("loop", ["open", "closed"])
def test_accepted_dropped_invalid_and_refused_are_told_apart(loop: str) -> None:
    replies = [
        answer(ACCEPTED),
        answer(b'{"status":"dropped"}'),
        answer(b'{"error":"invalid signature"}', "401 Unauthorized"),
        answer(b'{"accepted":3,"dropped":1,"errors":[{"index":4,"error":"x"}]}'),
        answer(b'{"accepted":5,"dropped":0,"errors":[]}'),
        answer(b'{"accepted":5,"dropped":0,"errors":[]}'),
        answer(ACCEPTED),
    ]

    with driving(StubServer(reply=lambda n: [replies[n]]), connections=1) as driver:
        if loop == "open":
            answers = driver.open_loop([REQUEST] * len(replies), time.monotonic(), every(0.0, 50))
        else:
            answers = driver.closed_loop([REQUEST] * len(replies), time.monotonic(), LONG_S)

    assert (answers.accepted, answers.dropped, answers.invalid) == (1 + 3 + 5 + 5 + 1, 1 + 1, 1)
    assert answers.refused == {401: 1}
    assert answers.answered == len(replies)


@pytest.mark.parametrize("loop", ["open", "closed"])
def test_an_answer_that_arrives_in_pieces_is_one_answer(loop: str) -> None:
    whole = answer(ACCEPTED)

    with driving(StubServer(reply=lambda n: [whole[:9], whole[9:30], whole[30:]]), connections=2) as driver:
        if loop == "open":
            answers = driver.open_loop([REQUEST] * 40, time.monotonic(), every(0.0, 50))
        else:
            answers = driver.closed_loop([REQUEST] * 40, time.monotonic(), LONG_S)

    assert (answers.accepted, answers.answered) == (40, 40)


@pytest.mark.parametrize("loop", ["open", "closed"])
def test_a_connection_that_breaks_ends_the_run_with_an_error(loop: str) -> None:
    server = StubServer(reply=lambda n: [answer(ACCEPTED)] if n < 3 else [])
    with driving(server, connections=1) as driver, pytest.raises(LoadError, match="closed a connection"):
        if loop == "open":
            driver.open_loop([REQUEST] * 10, time.monotonic(), every(0.0, 50))
        else:
            driver.closed_loop([REQUEST] * 10, time.monotonic(), LONG_S)


def test_parse_answer_waits_for_the_whole_body_and_refuses_more() -> None:
    whole = answer(b'{"a":1}', "404 Not Found")

    assert [parse_answer(whole[:n]) for n in range(len(whole))] == [None] * len(whole)
    assert parse_answer(whole) == (404, b'{"a":1}')
    with pytest.raises(LoadError, match="1 bytes follow"):
        parse_answer(whole + b"x")


def test_count_events_reads_both_kinds_of_answer() -> None:
    assert count_events(ACCEPTED) == (1, 0, 0)
    assert count_events(b'{"status":"dropped"}') == (0, 1, 0)
    assert count_events(b'{"accepted":48,"dropped":1,"errors":[{"index":3,"error":"e"}]}') == (48, 1, 1)
