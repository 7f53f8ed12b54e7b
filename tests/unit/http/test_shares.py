"""SHARES-1 to SHARES-3: one client address has a part of a worker, a proxy's clients each have theirs."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from bloop.http.connection import Connection
from bloop.http.gateway import Gateway
from bloop.http.limits import HttpLimits
from bloop.http.peer import BODY, CLOSED, IDLE, LINGERING
from bloop.http.request import HeadReader
from bloop.http.server import HttpServer

LIMITS = HttpLimits(
    body_bytes_max=500,
    held_bytes_max=2000,
    address_connections_max=2,
    address_held_bytes_max=600,
    bytes_per_s_min=100,
    body_timeout_s=10,
)
PROXY = "10.0.0.1"


def hello(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]


class Crowd:
    """A server without listeners, and connections from addresses of choice."""

    def __init__(self) -> None:
        self._fds = os.pipe()
        heads = HeadReader({}, lambda path: True, LIMITS)
        gateway = Gateway(hello, LIMITS)
        self.server = HttpServer([], gateway, heads, None, LIMITS, self._fds[0], trusted_proxies=[PROXY])
        self.server.now_s = 1000.0
        self._clients: list[socket.socket] = []

    def connect(self, address: str) -> Client:
        near, far = socket.socketpair()
        self._clients.append(near)
        near.setblocking(False)
        self.server._open(far, (address, 9) if address else "")
        return Client(near, self.server.connections[far.fileno()])

    def close(self) -> None:
        self.server.close()
        for client in self._clients:
            client.close()
        for fd in self._fds:
            os.close(fd)


class Client:
    def __init__(self, sock: socket.socket, connection: Connection) -> None:
        self.sock, self.connection = sock, connection

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)
        self.connection.on_event()

    def heard(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return self.sock.recv(65_536)
        return b""


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd()
    yield crowd
    crowd.close()


def half_body(length: int, *fields: str) -> bytes:
    lines = ("POST / HTTP/1.1", "Host: t", f"Content-Length: {length}", *fields, "", "")
    return "\r\n".join(lines).encode() + b"x" * (length - 1)


def get() -> bytes:
    return b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


def test_one_connection_too_many_is_refused_and_others_are_not(crowd):
    first, second, third = (crowd.connect("192.0.2.1") for _ in range(3))
    other = crowd.connect("192.0.2.2")
    other.say(get())

    assert third.heard().startswith(b"HTTP/1.1 429 ")
    assert third.connection.phase == LINGERING
    assert other.heard().startswith(b"HTTP/1.1 200 ")
    assert CLOSED not in (first.connection.phase, second.connection.phase)


def test_idle_connection_of_the_same_address_gives_way(crowd):
    idle, other = crowd.connect("192.0.2.1"), crowd.connect("192.0.2.9")
    for client in (idle, other):
        client.say(get())
    crowd.connect("192.0.2.1")

    crowd.connect("192.0.2.1").say(get())

    assert (idle.connection.phase, other.connection.phase) == (CLOSED, IDLE)


def test_ipv6_client_is_its_network(crowd):
    crowd.connect("2001:db8::1"), crowd.connect("2001:db8::2")

    assert crowd.connect("2001:db8::3").heard().startswith(b"HTTP/1.1 429 ")
    assert crowd.connect("2001:db8:0:1::3").heard() == b""


def test_bodies_of_one_address_do_not_use_up_the_memory_for_all(crowd):
    greedy = [crowd.connect("192.0.2.1") for _ in range(2)]
    for client in greedy:
        client.say(half_body(400))
    other = crowd.connect("192.0.2.2")
    other.say(half_body(400))

    assert greedy[0].connection.phase == BODY
    assert greedy[1].heard().startswith(b"HTTP/1.1 503 ")
    assert other.connection.phase == BODY
    other.say(b"x")
    assert other.heard().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("proxy", [PROXY, ""], ids=["trusted", "unix socket"])
def test_proxy_has_no_bound_and_its_clients_have(crowd, proxy):
    through = [crowd.connect(proxy) for _ in range(5)]
    for client, address in zip(through, ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", PROXY), strict=True):
        client.say(half_body(200, f"X-Forwarded-For: {address}"))

    assert [client.connection.phase for client in through] == [BODY, BODY, LINGERING, BODY, BODY]
    assert through[2].heard().startswith(b"HTTP/1.1 429 ")


def test_address_is_forgotten_with_its_last_connection(crowd):
    clients = [crowd.connect(address) for address in ("192.0.2.1", "192.0.2.2", PROXY)]
    clients[2].say(half_body(200, "X-Forwarded-For: 192.0.2.3"))
    assert len(crowd.server.shares) == 3
    clients[0].say(half_body(300))

    for client in clients:
        client.connection.close()

    assert len(crowd.server.shares) == 0
    assert crowd.server.bytes_held == 0


def test_what_arrives_earns_time_but_never_more_than_the_timeout(crowd):
    client = crowd.connect("192.0.2.1")
    client.say(half_body(400)[:-399])
    assert client.connection.deadline_s == 1010.0

    crowd.server.now_s = 1009.0
    client.say(b"x" * 50)
    assert client.connection.deadline_s == 1010.5  # 100 bytes a second

    client.say(b"x" * 300)
    assert client.connection.deadline_s == 1013.5

    crowd.server.now_s = 1001.0
    client.say(b"x")
    assert client.connection.deadline_s == 1011.0
