"""Endless answers: one thread writes to every streaming client, so that none of them occupies a worker thread.

STREAMS-1  A client costs a socket and a bounded buffer: when OUT_BYTES_MAX or more wait for it and its channel gives
    more, it is dropped. It reconnects and names its last position.
STREAMS-2  Without clients the thread sleeps until the first one arrives. With clients it pulls every TICK_S.
STREAMS-3  A channel's `closed` is called exactly once when its client is gone, for any reason, so counts of clients
    stay right.

The app decides what is sent: it gives a channel with each client (`environ["bloop.stream"]`), and from then on only
this thread uses that channel.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

TICK_S = 0.2
OUT_BYTES_MAX = 64 * 1024  # that a client has not taken yet
SEND_BUFFER_BYTES = 32 * 1024  # of the kernel: by default it would hold megabytes for a client that does not read
DEAD_AFTER_MS = 60_000  # without an acknowledgement of sent bytes
_RECV_BYTES = 4096

log = logging.getLogger(__name__)


class StreamChannel(Protocol):
    """The source of the bytes sent to one client."""

    def pull(self) -> bytes | None:
        """The bytes to send now, `b""` for none, None to end the answer. Called every TICK_S; must not wait."""

    def closed(self) -> None:
        """The client is gone. Called once, last."""


class _Client:
    """A connected socket, the bytes still to be written to it, and the channel that gives more."""

    def __init__(
        self, sock: socket.socket, channel: StreamChannel, first: bytes, on_closed: Callable[[], None]
    ) -> None:
        self.sock, self.channel, self.on_closed = sock, channel, on_closed
        self.out = bytearray(first)

    def __repr__(self) -> str:
        return f"<client on descriptor {self.sock.fileno()}>"


class Streams:
    """Only the thread that made it calls `add` and `close`; only the thread it starts touches the clients."""

    def __init__(self) -> None:
        self._added: collections.deque[_Client] = collections.deque()
        self._clients: set[_Client] = set()
        self._selector = selectors.DefaultSelector()
        self._wake_fd, self._woken_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_fd, selectors.EVENT_READ)
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, sock: socket.socket, channel: StreamChannel, first: bytes, on_closed: Callable[[], None]) -> None:
        """Take over the socket and the channel: write `first` and then the bytes of `channel` until one of them ends.
        `on_closed` is called in the writing thread, last."""
        assert not self._stopping
        self._added.append(_Client(sock, channel, first, on_closed))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
            self._thread.start()
        self._wake()

    def close(self) -> None:
        """End every answer and the thread. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        if self._thread is not None:
            self._wake()
            self._thread.join()
            self._thread = None
        self._selector.close()
        os.close(self._wake_fd)
        os.close(self._woken_fd)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # the pipe is full, so the thread wakes anyway
            os.write(self._woken_fd, b"\0")

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        next_tick_s = time.monotonic()
        while not self._stopping:
            timeout_s = max(0.0, next_tick_s - time.monotonic()) if self._clients else None
            for key, events in self._selector.select(timeout_s):
                self._on_event(key.data, events)
            while self._added:
                self._begin(self._added.popleft())
            if self._clients and time.monotonic() >= next_tick_s:
                next_tick_s = time.monotonic() + TICK_S
                for client in list(self._clients):
                    self._serve(client)
        for client in [*self._clients, *self._added]:
            self._end(client)

    def _on_event(self, client: _Client | None, events: int) -> None:
        if client is None:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_fd, _RECV_BYTES)
            return
        if client not in self._clients:
            return
        if events & selectors.EVENT_READ and self._has_closed(client):
            self._end(client)
        elif events & selectors.EVENT_WRITE:
            self._write(client)

    def _begin(self, client: _Client) -> None:
        try:
            client.sock.setblocking(False)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            if client.sock.family in (socket.AF_INET, socket.AF_INET6):
                client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_MS)
            self._selector.register(client.sock, selectors.EVENT_READ, client)
        except OSError:
            self._end(client)
            return
        self._clients.add(client)
        self._serve(client)

    def _serve(self, client: _Client) -> None:
        try:
            data = client.channel.pull()
        except Exception:  # a safety net: one failing channel must not end the other streams
            log.exception("a stream failed and was closed", extra={"action": "stream_failed"})
            data = None
        if data is None or (data and len(client.out) >= OUT_BYTES_MAX):
            self._end(client)
            return
        client.out += data
        if client.out:
            self._write(client)

    def _write(self, client: _Client) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                del client.out[: client.sock.send(client.out)]
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.out else 0)
            if self._selector.get_key(client.sock).events != events:
                self._selector.modify(client.sock, events, client)
        except OSError:  # closed, or no longer a descriptor that can be watched: this thread must outlive any client
            self._end(client)

    def _has_closed(self, client: _Client) -> bool:
        """Whether a client has closed; any bytes it sends are ignored."""
        try:
            return not client.sock.recv(_RECV_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _end(self, client: _Client) -> None:
        self._clients.discard(client)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(client.sock)
        client.sock.close()
        client.channel.closed()
        client.on_closed()
