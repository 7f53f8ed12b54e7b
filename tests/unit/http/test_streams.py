"""T1 to T3 of bloop/http/streams.py, over socket pairs."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bloop.http import streams
from bloop.http.streams import Streams
from tests.waiting import until

WAIT_S = 10.0


class Says:
    """A channel that gives what is put in, and notes its end."""

    def __init__(self, *said: bytes | None) -> None:
        self.said = list(said)
        self.pulls = 0
        self.ends = 0

    def pull(self) -> bytes | None:
        self.pulls += 1
        return self.said.pop(0) if self.said else b""

    def closed(self) -> None:
        self.ends += 1


class Flood(Says):
    def pull(self) -> bytes | None:
        self.pulls += 1
        return b"x" * 16_384


class Broken(Says):
    def pull(self) -> bytes | None:
        raise RuntimeError("broken")


@pytest.fixture
def pair() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Makes connected sockets: the server's end, and the client's."""
    made: list[socket.socket] = []

    def make() -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        theirs.settimeout(WAIT_S)
        made.extend((ours, theirs))
        return ours, theirs

    yield make
    for sock in made:
        sock.close()


@pytest.fixture
def ended() -> list[int]:
    return []


@pytest.fixture
def running(
    pair: Callable[[], tuple[socket.socket, socket.socket]], ended: list[int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Streams]:
    """Ends before `pair`: what was added belongs to its thread, and nobody else may close it before that is over."""
    monkeypatch.setattr(streams, "TICK_S", 0.01)
    made = Streams(on_closed=lambda: ended.append(1))
    yield made
    made.close()


Pair = Callable[[], tuple[socket.socket, socket.socket]]


def test_every_client_gets_what_its_channel_says_from_one_thread(running: Streams, pair: Pair) -> None:
    before = threading.active_count()
    clients = [pair() for _ in range(20)]

    for number, (ours, _) in enumerate(clients):
        running.add(ours, Says(b"%d " % number, b"", b"end"))

    for number, (_, theirs) in enumerate(clients):
        got = b""
        while not got.endswith(b"end"):
            got += theirs.recv(100)
        assert got == b"%d end" % number
    assert threading.active_count() == before + 1


def test_nobody_listens_and_nothing_runs(running: Streams, pair: Pair) -> None:
    ours, theirs = pair()
    channel = Says()
    running.add(ours, channel)
    until(lambda: channel.pulls > 2, "a few pulls")

    theirs.close()
    until(lambda: channel.ends, "its end")
    pulls = channel.pulls
    (thread,) = [t for t in threading.enumerate() if t.name == "streams"]

    cpu_s = time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0))
    thread.join(timeout=0.2)
    assert thread.is_alive()
    assert channel.pulls == pulls
    assert time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0)) - cpu_s < 0.01


def test_a_client_that_reads_nothing_is_dropped_and_the_others_are_not(
    running: Streams, pair: Pair, ended: list[int]
) -> None:
    (slow, _sleeper), (ours, theirs) = pair(), pair()
    flood, channel = Flood(), Says()
    running.add(slow, flood)
    running.add(ours, channel)

    until(lambda: flood.ends, "the flood to be dropped")

    assert flood.pulls * 16_384 < 1_000_000
    channel.said.append(b"still here")
    assert theirs.recv(100) == b"still here"
    assert (flood.ends, channel.ends, ended) == (1, 0, [1])


def test_what_a_slow_client_has_not_taken_yet_arrives_in_order(running: Streams, pair: Pair) -> None:
    ours, theirs = pair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    channel = Says(*[b"%05d" % n * 400 for n in range(20)])
    running.add(ours, channel)
    until(lambda: not channel.said, "all of it to be pulled")

    got = b""
    while len(got) < 40_000:
        got += theirs.recv(1000)
    assert got == b"".join(b"%05d" % n * 400 for n in range(20))


def test_a_channel_that_ends_or_breaks_closes_its_client_alone(
    running: Streams, pair: Pair, ended: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    clients = [(pair(), channel) for channel in (Says(b"bye", None), Broken(), Says())]
    for (ours, _), channel in clients:
        running.add(ours, channel)

    (_, bye), (_, broken), (_, open_) = (sockets for sockets, _ in clients)
    assert bye.recv(100) == b"bye"
    assert bye.recv(100) == b""
    assert broken.recv(100) == b""
    until(lambda: len(ended) == 2, "the two to be counted out")
    assert [channel.ends for _, channel in clients] == [1, 1, 0]
    assert "a stream failed and was closed" in caplog.text
    clients[2][1].said.append(b"on")
    assert open_.recv(100) == b"on"


def test_a_client_that_left_before_it_was_added_is_counted_out(running: Streams, pair: Pair, ended: list[int]) -> None:
    ours, _ = pair()
    ours.close()
    channel = Says()

    running.add(ours, channel)

    until(lambda: ended, "it to be counted out")
    assert channel.ends == 1


class Vanishing(socket.socket):
    """Closed under the thread's hands as soon as something was sent."""

    def send(self, data: Any, flags: int = 0, /) -> int:
        sent = super().send(data[:1], flags)
        self.close()
        return sent


def test_a_client_that_vanishes_while_it_is_written_to_takes_nobody_along(
    running: Streams, pair: Pair, ended: list[int]
) -> None:
    (doomed, _), (ours, theirs) = pair(), pair()
    vanishing, channel = Says(b"more than one byte"), Says()
    running.add(ours, channel)
    running.add(Vanishing(fileno=doomed.detach()), vanishing)

    until(lambda: vanishing.ends, "it to be counted out")

    channel.said.append(b"still here")
    assert theirs.recv(100) == b"still here"
    assert (vanishing.ends, channel.ends, ended) == (1, 0, [1])


def test_closing_ends_every_client_and_keeps_no_descriptor(pair: Pair, ended: list[int]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    made = Streams(on_closed=lambda: ended.append(1))
    clients = [pair() for _ in range(3)]
    channels = [Says() for _ in clients]
    for (ours, _), channel in zip(clients, channels, strict=True):
        made.add(ours, channel)
    until(lambda: all(channel.pulls for channel in channels), "every channel to be pulled")

    made.close()

    assert [theirs.recv(1) for _, theirs in clients] == [b""] * 3
    assert [channel.ends for channel in channels] == [1] * 3
    assert len(ended) == 3
    assert len(os.listdir("/proc/self/fd")) == before + 3  # the clients' own ends
    assert not [t for t in threading.enumerate() if t.name == "streams"]
