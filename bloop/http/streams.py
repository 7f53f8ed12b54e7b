"""Answers that do not end: one thread writes to every client that listens, so that none of them holds a worker thread.

T1  A client costs a socket and a bounded buffer: when OUT_BYTES_MAX or more are waiting for it and there is more to
    say, it is dropped. It comes back and says where it was.
T2  No client, no work: the thread sleeps until the first arrives. With clients it looks every TICK_S.
T3  A channel is told once that its client is gone, whatever the reason, so who counts clients counts right.

What is sent is the app's business: it hands over a channel with each client (`environ["bloop.stream"]`), and every
channel is used by this thread alone from then on.
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
SEND_BUFFER_BYTES = 32 * 1024  # the kernel's part of it: by default it would take megabytes for a client that sleeps
DEAD_AFTER_MS = 60_000  # without an acknowledgement for what was sent
_RECV_BYTES = 4096

log = logging.getLogger(__name__)


class Channel(Protocol):
    """What one client is to be sent."""

    def pull(self) -> bytes | None:
        """What to send now, `b""` for nothing, None to end the answer. Called every TICK_S; must not wait."""

    def closed(self) -> None:
        """The client is gone. Called once, last."""


class _Client:
    """A connected socket, what is still to be written to it, and where more comes from."""

    def __init__(self, sock: socket.socket, channel: Channel) -> None:
        self.sock, self.channel = sock, channel
        self.out = bytearray()

    def __repr__(self) -> str:
        return f"<client on descriptor {self.sock.fileno()}>"


class Streams:
    """`add` and `close` belong to the thread that made it; the clients belong to the thread it starts."""

    def __init__(self, on_closed: Callable[[], None]) -> None:
        """`on_closed` is called for every client that is gone, from the writing thread."""
        self._on_closed = on_closed
        self._added: collections.deque[_Client] = collections.deque()
        self._clients: set[_Client] = set()
        self._selector = selectors.DefaultSelector()
        self._wake_fd, self._woken_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_fd, selectors.EVENT_READ)
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, sock: socket.socket, channel: Channel) -> None:
        """Write what `channel` gives to `sock` from now on. Both are ours until the end."""
        self._added.append(_Client(sock, channel))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
            self._thread.start()
        self._wake()

    def close(self) -> None:
        """End every answer and the thread."""
        self._stopping = True
        if self._thread is not None:
            self._wake()
            self._thread.join()
            self._thread = None
        self._selector.close()
        os.close(self._wake_fd)
        os.close(self._woken_fd)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is full: the thread will wake
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
        if events & selectors.EVENT_READ and self._has_left(client):
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
        except Exception:  # a safety net: one client's trouble is not everybody's
            log.exception("a stream failed and was closed", extra={"action": "stream_failed"})
            data = None
        if data is None or (data and len(client.out) >= OUT_BYTES_MAX):
            self._end(client)
            return
        if data:
            client.out += data
            self._write(client)

    def _write(self, client: _Client) -> None:
        try:
            with contextlib.suppress(BlockingIOError):
                del client.out[: client.sock.send(client.out)]
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.out else 0)
            if self._selector.get_key(client.sock).events != wanted:
                self._selector.modify(client.sock, wanted, client)
        except OSError:  # gone, or no longer a descriptor that can be watched: this thread must outlive any client
            self._end(client)

    def _has_left(self, client: _Client) -> bool:
        """What a client says while it listens is of no interest, only that it closes."""
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
        self._on_closed()
