"""The live stream over real connections: resumed after a kill; hundreds at once take no thread of the pages."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from bloop.accounts.sign_ins.store import create_sign_in
from bloop.base.clock import now_ms
from bloop.db import connection
from bloop.live.hub import PER_CREDENTIAL_MAX
from tests.acceptance.harness import BloopServer, event
from tests.waiting import until

CLIENTS = 200


class Reader:
    """A client of /v1/stream that keeps all it receives."""

    def __init__(self, server: BloopServer, headers: dict[str, str], **buffers: int) -> None:
        self.sock = socket.socket()
        if "receive" in buffers:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers["receive"])
        self.sock.connect(("127.0.0.1", server.port))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.sock.sendall(f"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        self.sock.setblocking(False)
        self.text = ""
        self.ended = False

    def read(self) -> str:
        """Everything so far."""
        with contextlib.suppress(BlockingIOError):
            while not self.ended:
                data = self.sock.recv(65_536)
                self.text += data.decode()
                self.ended = not data
        return self.text

    def ids(self) -> list[int]:
        lines = self.read().partition("\r\n\r\n")[2].split("\n")
        return [int(a[4:]) for a, b in itertools.pairwise(lines) if a[:4] == "id: " and b[:7] == "event: "]


@pytest.fixture
def listen(make_server: Callable[..., BloopServer]) -> Iterator[Callable[..., Reader]]:
    readers: list[Reader] = []

    def open_reader(server: BloopServer, headers: dict[str, str], **buffers: int) -> Reader:
        readers.append(Reader(server, headers, **buffers))
        return readers[-1]

    yield open_reader
    for reader in readers:
        reader.sock.close()


def cookies(server: BloopServer, count: int) -> list[str]:
    """Sessions of the operator, as signing in makes them."""
    with contextlib.closing(connection.open_control(server.database_path)) as db, connection.immediate(db):
        return [create_sign_in(db, None, now_ms=now_ms(), ttl_s=3600) for _ in range(count)]


def issue(number: int) -> dict[str, Any]:
    return event(error_type=f"Error{chr(65 + number // 26)}{chr(65 + number % 26)}")


@pytest.mark.faults
def test_a_stream_resumes_after_the_dashboard_was_killed(
    make_server: Callable[..., BloopServer], listen: Callable[..., Reader]
) -> None:
    server = make_server().start()
    headers = {"Authorization": f"Bearer {server.token()}"}
    before = listen(server, headers)
    until(lambda: "retry:" in before.read(), "the stream begins")
    server.send(issue(0))
    until(lambda: before.ids() == [1], "the first issue")

    (worker,) = server.pids("dashboard-worker")
    os.kill(worker, signal.SIGKILL)
    until(lambda: before.read() is not None and before.ended, "the stream breaks")
    for number in (1, 2, 3):
        server.send(issue(number))

    def again() -> Reader | None:
        reader = listen(server, headers | {"Last-Event-ID": "1"})
        with contextlib.suppress(ConnectionError):
            until(lambda: "\r\n\r\n" in reader.read() or reader.ended, "an answer")
        return reader if reader.text.startswith("HTTP/1.1 200") else None

    after = until(again, "the dashboard is back")
    until(lambda: after.ids() == [2, 3, 4], "the events missed meanwhile, once")
    server.send(issue(4))
    until(lambda: after.ids() == [2, 3, 4, 5], "and new events")
    assert server.stop() == 0
    assert server.leftovers() == []


def test_hundreds_of_open_streams_leave_the_pages_their_threads(
    make_server: Callable[..., BloopServer], listen: Callable[..., Reader]
) -> None:
    server = make_server().start()
    server.send(issue(0))
    sessions = cookies(server, CLIENTS // PER_CREDENTIAL_MAX)
    readers = [listen(server, {"Cookie": f"bloop_session={sessions[n % len(sessions)]}"}) for n in range(CLIENTS)]
    until(lambda: all("retry:" in reader.read() for reader in readers), "every stream begins")
    (worker,) = server.pids("dashboard-worker")
    threads = len(os.listdir(f"/proc/{worker}/task"))

    took = []
    for _ in range(20):
        began = time.monotonic()
        assert server.request("GET", "/", headers={"Cookie": f"bloop_session={sessions[0]}"}).status == 200
        took.append(time.monotonic() - began)
    server.send(issue(1))
    began = time.monotonic()
    until(lambda: all(reader.ids() for reader in readers), "everybody hears of it")

    assert time.monotonic() - began < 5
    assert sorted(took)[10] < 1
    beside_pages = ("the main loop", "the one that writes to all streams", "the purger", "the one of health checks")
    assert threads <= server.settings.server.threads + len(beside_pages)
    refused = server.request("GET", "/v1/stream", headers={"Cookie": f"bloop_session={sessions[0]}"})
    assert refused.status == 429
    assert server.stop() == 0
    until(lambda: all(reader.read() is not None and reader.ended for reader in readers), "every stream ends")
    assert "stream_failed" not in server.log


def test_a_client_that_reads_nothing_is_disconnected_and_the_others_get_everything(
    make_server: Callable[..., BloopServer], listen: Callable[..., Reader]
) -> None:
    server = make_server().start()
    asleep_cookie, awake_cookie = cookies(server, 2)
    asleep = listen(server, {"Cookie": f"bloop_session={asleep_cookie}"}, receive=4096)
    awake = listen(server, {"Cookie": f"bloop_session={awake_cookie}"})
    until(lambda: "retry:" in awake.read(), "the stream begins")
    (worker,) = server.pids("dashboard-worker")
    until(lambda: sockets(worker, to=server.port) == 2, "both are with the dashboard")
    for batch in range(4):
        server.send(*[issue(50 * batch + number) for number in range(50)])
    until(lambda: len(awake.ids()) == 200, "the issues")

    # Two hundred signals at a time, until the server cannot buffer more for the idle client.
    headers = {"Cookie": f"bloop_session={awake_cookie}", "Origin": server.settings.auth.rp_origin}
    everything = [f"DEFAULT-{number}" for number in range(1, 201)]
    for number in range(1, 11):
        body = json.dumps({"ids": everything, "status": "muted" if number % 2 else "ignored"}).encode()
        assert server.request("POST", "/v1/errors/bulk", body, headers).status == 200
        heard = 200 * (number + 1)
        until(lambda heard=heard: len(awake.ids()) == heard, "everything is heard")  # type: ignore[misc]

    until(lambda: sockets(worker, to=server.port) == 1, "the sleeper is let go")
    assert not awake.ended
    assert awake.ids() == list(range(1, 2201))
    with contextlib.suppress(ConnectionResetError):
        until(lambda: asleep.read() is not None and asleep.ended, "it notices when it wakes")
    assert len(asleep.ids()) < 2200
    assert server.stop() == 0


def sockets(pid: int, *, to: int) -> int:
    """Connections of a process to clients of a port."""
    return sum(
        c.status == psutil.CONN_ESTABLISHED and c.laddr.port == to for c in psutil.Process(pid).net_connections("tcp")
    )
