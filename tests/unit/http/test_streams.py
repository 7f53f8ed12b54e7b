"""STREAMS-1 to STREAMS-3 of bloop/http/streams.py, over socket pairs."""

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


class ScriptedChannel:
    """A channel that gives the chunks put into it, and records its end."""

    def __init__(self, *chunks: bytes | None) -> None:
        self.chunks = list(chunks)
        self.pulls = 0
        self.ends = 0

    def pull(self) -> bytes | None:
        self.pulls += 1
        return self.chunks.pop(0) if self.chunks else b""

    def closed(self) -> None:
        self.ends += 1


class Flood(ScriptedChannel):
    def pull(self) -> bytes | None:
        self.pulls += 1
        return b"x" * 16_384


class Broken(ScriptedChannel):
    def pull(self) -> bytes | None:
        raise RuntimeError("broken")


@pytest.fixture
def pair() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Makes connected sockets: the server's end, and the client's."""
    sockets: list[socket.socket] = []

    def make() -> tuple[socket.socket, socket.socket]:
        server_end, client_end = socket.socketpair()
        client_end.settimeout(WAIT_S)
        sockets.extend((server_end, client_end))
        return server_end, client_end

    yield make
    for sock in sockets:
        sock.close()


@pytest.fixture
def ended() -> list[int]:
    return []


@pytest.fixture
def running(
    pair: Callable[[], tuple[socket.socket, socket.socket]], ended: list[int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[RecordedStreams]:
    """Ends before `pair`: what was added belongs to its thread, and nobody else may close it before that is over."""
    monkeypatch.setattr(streams, "TICK_S", 0.01)
    running_streams = RecordedStreams(ended)
    yield running_streams
    running_streams.close()


class RecordedStreams(Streams):
    """Streams that note in `ended` when a client is gone."""

    def __init__(self, ended: list[int]) -> None:
        super().__init__()
        self._ended = ended

    def follow(self, sock: socket.socket, channel: ScriptedChannel, first: bytes = b"") -> None:
        self.add(sock, channel, first, lambda: self._ended.append(1))


Pair = Callable[[], tuple[socket.socket, socket.socket]]


def test_one_thread_sends_every_client_the_bytes_of_its_channel(running: RecordedStreams, pair: Pair) -> None:
    before = threading.active_count()
    clients = [pair() for _ in range(20)]

    for number, (server_end, _) in enumerate(clients):
        running.follow(server_end, ScriptedChannel(b"%d " % number, b"", b"end"))

    for number, (_, client_end) in enumerate(clients):
        got = b""
        while not got.endswith(b"end"):
            got += client_end.recv(100)
        assert got == b"%d end" % number
    assert threading.active_count() == before + 1


def test_without_clients_nothing_runs(running: RecordedStreams, pair: Pair) -> None:
    server_end, client_end = pair()
    channel = ScriptedChannel()
    running.follow(server_end, channel)
    until(lambda: channel.pulls > 2, "a few pulls")

    client_end.close()
    until(lambda: channel.ends, "its end")
    pulls = channel.pulls
    (thread,) = [t for t in threading.enumerate() if t.name == "streams"]

    cpu_s = time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0))
    thread.join(timeout=0.2)
    assert thread.is_alive()
    assert channel.pulls == pulls
    assert time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0)) - cpu_s < 0.01


def test_a_client_that_reads_nothing_is_dropped_and_the_others_are_not(
    running: RecordedStreams, pair: Pair, ended: list[int]
) -> None:
    (slow, _sleeper), (server_end, client_end) = pair(), pair()
    flood, channel = Flood(), ScriptedChannel()
    running.follow(slow, flood)
    running.follow(server_end, channel)

    until(lambda: flood.ends, "the flood to be dropped")

    assert flood.pulls * 16_384 < 1_000_000
    channel.chunks.append(b"still here")
    assert client_end.recv(100) == b"still here"
    assert (flood.ends, channel.ends, ended) == (1, 0, [1])


def test_a_slow_client_gets_all_waiting_bytes_in_order(running: RecordedStreams, pair: Pair) -> None:
    server_end, client_end = pair()
    server_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    channel = ScriptedChannel(*[b"%05d" % n * 400 for n in range(20)])
    running.follow(server_end, channel)
    until(lambda: not channel.chunks, "all of it to be pulled")

    got = b""
    while len(got) < 40_000:
        got += client_end.recv(1000)
    assert got == b"".join(b"%05d" % n * 400 for n in range(20))


def test_a_channel_that_ends_or_breaks_closes_its_client_alone(
    running: RecordedStreams, pair: Pair, ended: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    clients = [(pair(), channel) for channel in (ScriptedChannel(b"bye", None), Broken(), ScriptedChannel())]
    for (server_end, _), channel in clients:
        running.follow(server_end, channel)

    (_, bye), (_, broken), (_, open_) = (sockets for sockets, _ in clients)
    assert bye.recv(100) == b"bye"
    assert bye.recv(100) == b""
    assert broken.recv(100) == b""
    until(lambda: len(ended) == 2, "the two to be counted out")
    assert [channel.ends for _, channel in clients] == [1, 1, 0]
    assert "a stream failed and was closed" in caplog.text
    clients[2][1].chunks.append(b"on")
    assert open_.recv(100) == b"on"


def test_a_client_that_closed_before_it_was_added_is_counted_out(
    running: RecordedStreams, pair: Pair, ended: list[int]
) -> None:
    server_end, _ = pair()
    server_end.close()
    channel = ScriptedChannel()

    running.follow(server_end, channel)

    until(lambda: ended, "it to be counted out")
    assert channel.ends == 1


class Vanishing(socket.socket):
    """Closed under the thread's hands as soon as something was sent."""

    def send(self, data: Any, flags: int = 0, /) -> int:
        sent = super().send(data[:1], flags)
        self.close()
        return sent


def test_a_client_that_vanishes_during_a_write_ends_only_its_own_stream(
    running: RecordedStreams, pair: Pair, ended: list[int]
) -> None:
    (doomed, _), (ours, theirs) = pair(), pair()
    vanishing, channel = ScriptedChannel(b"more than one byte"), ScriptedChannel()
    running.follow(ours, channel)
    running.follow(Vanishing(fileno=doomed.detach()), vanishing)

    until(lambda: vanishing.ends, "it to be counted out")

    channel.chunks.append(b"still here")
    assert theirs.recv(100) == b"still here"
    assert (vanishing.ends, channel.ends, ended) == (1, 0, [1])


def test_closing_ends_every_client_and_keeps_no_descriptor(pair: Pair, ended: list[int]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    streams = RecordedStreams(ended)
    clients = [pair() for _ in range(3)]
    channels = [ScriptedChannel() for _ in clients]
    for (server_end, _), channel in zip(clients, channels, strict=True):
        streams.follow(server_end, channel)
    until(lambda: all(channel.pulls for channel in channels), "every channel to be pulled")

    streams.close()

    assert [client_end.recv(1) for _, client_end in clients] == [b""] * 3
    assert [channel.ends for channel in channels] == [1] * 3
    assert len(ended) == 3
    assert len(os.listdir("/proc/self/fd")) == before + 3  # the clients' own ends
    assert not [t for t in threading.enumerate() if t.name == "streams"]
