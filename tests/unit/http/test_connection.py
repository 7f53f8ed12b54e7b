from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bloop.http.connection import Connection
from bloop.http.gateway import Gateway
from bloop.http.limits import HttpLimits
from bloop.http.peer import BODY, CLOSED, HEAD, IDLE, LINGERING, WRITING
from bloop.http.request import HeadReader
from bloop.http.server import HttpServer

LIMITS = HttpLimits(body_bytes_max=500, held_bytes_max=1000, pipeline_max=3, keepalive_timeout_s=75, body_timeout_s=30)


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {body!r}".encode() * int(environ["QUERY_STRING"] or 1)]


class Harness:
    """A server without listeners and one connection, its events delivered by hand."""

    def __init__(self) -> None:
        self.wake_fd, self._wake_end = os.pipe()
        heads = HeadReader({}, lambda path: True, LIMITS)
        self.server = HttpServer([], Gateway(echo, LIMITS), heads, None, LIMITS, self.wake_fd)
        self.server.gateway.set_date(0)
        self.client, far = socket.socketpair()
        self.client.setblocking(False)
        far.setblocking(False)
        self.connection = Connection(self.server, far, ("192.0.2.1", 9))
        self.server.connections[far.fileno()] = self.connection
        self.server._epoll.register(far.fileno(), select.EPOLLIN)

    def say(self, data: bytes) -> None:
        self.client.sendall(data)
        self.connection.on_event()
        self.take_turns()

    def take_turns(self) -> None:
        while self.server.ready:
            self.server.ready.popleft().on_turn()

    def heard(self) -> bytes:
        data = b""
        with contextlib.suppress(BlockingIOError):
            while piece := self.client.recv(1 << 20):
                data += piece
        return data

    def close(self) -> None:
        self.server.close()
        self.client.close()
        os.close(self.wake_fd)
        os.close(self._wake_end)


@contextlib.contextmanager
def conversation() -> Iterator[Harness]:
    harness = Harness()
    try:
        yield harness
    finally:
        harness.close()


@pytest.fixture
def talk() -> Iterator[Harness]:
    with conversation() as harness:
        yield harness


def sized(path: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"


def bare(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


BODIES = st.binary(max_size=30)
REQUESTS = st.lists(
    st.one_of(
        st.builds(lambda body: sized("/s", body), BODIES),
        st.builds(lambda body: chunked("/c", body), BODIES),
        st.just(bare("/b")),
        st.just(b"\r\n"),
        st.just(b"GET / HTTP/1.1\r\nbroken\r\n\r\n"),
    ),
    max_size=8,
).map(b"".join)


@example(b"\r\n\r\n", [3])
@given(REQUESTS, st.lists(st.integers(1, 60), max_size=20))
def test_answers_do_not_depend_on_how_the_bytes_arrive(data, sizes):
    def answers(pieces: list[bytes]) -> bytes:
        with conversation() as talk:
            for piece in pieces:
                if piece:
                    talk.say(piece)
            assert talk.server.bytes_held == 0 or talk.connection.phase in (HEAD, BODY)
            return talk.heard()

    pieces = []
    rest = data
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]

    assert answers([*pieces, rest]) == answers([data])


def test_idle_connection_keeps_nothing(talk):
    talk.say(bare("/a") + sized("/b", b"x" * 400)[:-1])
    assert (talk.connection.phase, talk.server.bytes_held) == (BODY, 399)

    talk.say(b"x" + bare("/c") + b"GET")
    assert (talk.connection.phase, talk.server.bytes_held) == (HEAD, 3)

    talk.say(b" /d HTTP/1.1\r\nHost: t\r\n\r\n")
    assert (talk.connection.phase, talk.server.bytes_held, talk.connection.buffer) == (IDLE, 0, b"")
    assert talk.heard().count(b"200 OK") == 4


def test_body_clock_is_not_reset_by_every_byte(talk):
    talk.server.now_s = 1000.0
    talk.say(sized("/a", b"xyz")[:-3])
    talk.server.now_s = 1029.0
    talk.say(b"x")

    assert talk.connection.deadline_s == 1030.0
    talk.connection.expire()
    assert talk.heard().startswith(b"HTTP/1.1 408 ")
    assert (talk.connection.phase, talk.server.bytes_held) == (LINGERING, 0)


def test_head_clock_is_not_reset_by_every_byte(talk):
    talk.server.now_s = 1000.0
    talk.say(b"G")
    talk.server.now_s = 1009.0
    talk.say(b"E")

    assert talk.connection.deadline_s == 1010.0


def test_unread_answer_stops_reading_and_counts_against_the_worker(talk):
    talk.server.limits = HttpLimits(held_bytes_max=10_000_000)
    talk.say(bare("/a?400000") + bare("/b"))
    bytes_held = talk.server.bytes_held
    assert talk.connection.phase == WRITING
    assert bytes_held > 1_000_000

    talk.client.sendall(bare("/c"))
    talk.connection.on_event()
    assert talk.server.bytes_held == bytes_held

    heard = b""
    while talk.connection.phase == WRITING:
        heard += talk.heard()
        talk.connection.on_event()
    talk.take_turns()
    talk.connection.on_event()
    heard += talk.heard()
    assert heard.count(b"HTTP/1.1 200 OK") == 3
    assert talk.server.bytes_held == 0


def test_peer_whose_answer_would_take_too_much_memory_is_dropped(talk):
    talk.say(bare("/a?400000"))

    assert talk.connection.phase == CLOSED
    assert talk.server.bytes_held == 0


def test_event_for_a_reused_descriptor_does_no_harm(talk):
    talk.connection.on_event()
    talk.say(bare("/a"))
    talk.connection.close()
    talk.connection.on_event()
    talk.connection.on_turn()

    assert talk.heard().count(b"200 OK") == 1


def test_bug_in_the_server_costs_one_connection(talk, caplog):
    talk.server.heads.lines = None
    talk.client.sendall(bare("/a"))

    talk.server.serve(0.01)

    assert talk.connection.phase == CLOSED
    assert "a connection failed and was closed" in caplog.text
