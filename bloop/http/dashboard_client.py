"""A client in a thread of the dashboard worker: a socket whose reads and writes time out, and Gunicorn's connection."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from typing import Any

from gunicorn import http, util
from gunicorn.workers.gthread import TConn

from bloop.http.limits import HttpLimits
from bloop.http.streams import StreamChannel


class BoundedSocket(socket.socket):
    """A client socket with bounded reads and writes: a client that stalls looks like one that disconnected.

    The errno makes Gunicorn log it at debug level; a slow client is not an error of the server.
    """

    def __init__(self, fileno: int, limits: HttpLimits) -> None:
        super().__init__(fileno=fileno)
        self._limits = limits
        self._body_deadline_s: float | None = None
        self._channel: StreamChannel | None = None
        self._answer: Any = None

    def expect_body(self) -> None:
        """Prepare for the next request: the deadline of its body starts with the app's first read."""
        self._body_deadline_s = None

    def listen_to(self, channel: StreamChannel) -> None:
        """Called by the app: its answer continues with the bytes that `channel` gives."""
        self._channel = channel

    def leave_open(self, answer: Any) -> None:
        """If the app gave a channel, make Gunicorn's `answer` one that can continue: no framing, closed at its end."""
        if self._channel is not None:
            self._answer = answer
            answer.chunked = False
            answer.force_close()

    def take_channel(self) -> tuple[StreamChannel | None, bool]:
        """The channel the app gave, and whether the headers of the answer were sent."""
        channel, answer = self._channel, self._answer
        self._channel = self._answer = None
        return channel, answer is not None and answer.headers_sent

    def setblocking(self, flag: bool, /) -> None:
        self.settimeout(self._limits.write_timeout_s if flag else 0.0)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        allowed_s = self.gettimeout()
        if not allowed_s:
            return super().recv(bufsize, flags)
        now_s = time.monotonic()
        if self._body_deadline_s is None:
            self._body_deadline_s = now_s + self._limits.body_timeout_s
        remaining_s = self._body_deadline_s - now_s
        if remaining_s <= 0:
            raise ConnectionResetError(errno.ECONNRESET, "the request body took too long")
        self.settimeout(min(allowed_s, remaining_s))
        try:
            return super().recv(bufsize, flags)
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the request body stalled") from None
        finally:
            self.settimeout(allowed_s)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        try:
            super().sendall(data, flags)
        except TimeoutError:
            raise ConnectionResetError(errno.ECONNRESET, "the client does not read") from None


class DashboardClient(TConn):
    """Gunicorn's connection, ready for requests whose head is already in `parser.unreader`."""

    sock: BoundedSocket

    def __init__(self, cfg: Any, sock: BoundedSocket, linger: Callable[[DashboardClient], bool]) -> None:
        """Raises OSError when the client has already disconnected."""
        super().__init__(cfg, sock, sock.getpeername(), sock.getsockname())
        self.parser = http.get_parser(cfg, sock, self.client)
        self.initialized = True
        self._linger = linger

    def take_unread(self) -> bytes:
        """Take the bytes that were received and not yet parsed."""
        unread: bytes = self.parser.unreader.take_buffered()
        return unread

    def give_back(self, data: bytes) -> None:
        """Put bytes back in front: they are parsed next."""
        self.parser.unreader.unread(data)

    def close(self, graceful: bool = False) -> None:
        """Close; gracefully means after the peer had time to read the answer, without blocking the main loop.

        Gunicorn itself would wait in place, up to two seconds per connection, with the main loop blocked.
        """
        if not graceful or not self._linger(self):
            util.close(self.sock)
