"""Several generator processes are one load, and what they send is what an SDK sends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from bloop.bench.corpus import Corpus
from bloop.bench.driver import LoadError
from bloop.bench.load import run_load
from bloop.bench.rendering import Target, batch, single
from bloop.bench.schedule import Load, render
from bloop.ingest.hmac_signature import SigningKey, parse_signature
from tests.unit.bench.stub_server import ACCEPTED, StubServer, answer, headers_of

SECRET = "s" * 32


def target(port: int = 1, project_key: str = "") -> Target:
    return Target(port=port, secret=SECRET, project_key=project_key)


def split(request: bytes) -> tuple[dict[str, str], bytes]:
    return headers_of(request), request.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("size", [1, 2, 50])
def test_rendered_requests_carry_a_signature_that_verifies_and_their_own_length(size: int) -> None:
    corpus = Corpus("t")
    for request in (single(target(), corpus, 7), batch(target(), corpus, 100, size)):
        headers, body = split(b"".join(request))

        assert SigningKey(SECRET.encode()).matches(parse_signature(headers["x-signature"]), body)
        assert int(headers["content-length"]) == len(body)


def test_a_project_key_is_sent_only_when_there_is_one() -> None:
    corpus = Corpus("t")

    with_key, _ = split(b"".join(single(target(project_key="bloop_1"), corpus, 1)))
    without, _ = split(b"".join(single(target(), corpus, 1)))

    assert with_key["x-project-key"] == "bloop_1"
    assert "x-project-key" not in without


def test_a_batch_holds_the_events_it_says() -> None:
    corpus = Corpus("t")

    _, body = split(b"".join(batch(target(), corpus, 100, 50)))

    assert json.loads(body)["events"] == [json.loads(corpus.body(n)) for n in range(100, 150)]


@pytest.mark.parametrize("size", [0, 50])
def test_the_processes_of_a_load_send_every_event_number_once(size: int) -> None:
    load = Load(target(), "t", requests=7, first=1000, batch=size, processes=3)

    sent = [n + i for p in range(3) for n in load.numbers(p) for i in range(max(size, 1))]

    assert sorted(sent) == list(range(1000, 1000 + 7 * max(size, 1)))
    assert sum(len(render(load, p)) for p in range(3)) == 7


def test_two_processes_add_up_and_send_distinct_events() -> None:
    server = StubServer()
    with server.serving():
        load = Load(target(server.port), "t", requests=40, duration_s=60.0, connections=3, processes=2)
        result = run_load(load)

    assert (result.accepted, result.requests, result.sent_events, result.dropped) == (40, 40, 40, 0)
    assert result.exhausted
    assert len(result.latency_s) == 40
    ids = {json.loads(split(r)[1])["request_id"] for r in server.requests}
    assert ids == {f"t-{n}" for n in range(40)}


def test_an_open_loop_says_when_each_event_was_answered() -> None:
    server = StubServer(reply=lambda n: [answer(b'{"accepted":5,"dropped":0,"errors":[]}')])
    with server.serving():
        load = Load(target(server.port), "t", requests=8, first=10, batch=5, rate=1000.0, connections=4, processes=2)
        result = run_load(load)

    assert (result.accepted, result.sent_events) == (40, 40)
    assert sorted(n for n, _ in result.answered) == list(range(10, 50, 5))
    assert not result.exhausted


def test_a_generator_that_gives_up_ends_the_load_with_its_reason() -> None:
    server = StubServer(reply=lambda n: [answer(ACCEPTED)] if n < 5 else [])
    with server.serving(), pytest.raises(LoadError, match="closed a connection"):
        run_load(Load(target(server.port), "t", requests=20, duration_s=60.0, connections=2, processes=2))


@pytest.fixture
def press_ctrl_c() -> Iterator[Callable[[], None]]:
    """As in a foreground job: shells have jobs in the background ignore SIGINT, and test runs inherit that."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, inherited)


def test_ctrl_c_ends_an_open_loop_with_what_was_answered_until_then(press_ctrl_c: Callable[[], None]) -> None:
    def press_after_twenty(number: int) -> None:
        if number == 21:  # of those before, one may be on its way still, over the other connection
            press_ctrl_c()

    server = StubServer(before_reply=press_after_twenty)
    with server.serving():
        result = run_load(Load(target(server.port), "t", requests=100_000, rate=200.0, connections=2, lazy=True))

    assert result.interrupted
    assert 20 <= result.requests == result.accepted == len(result.answered) < 100_000
