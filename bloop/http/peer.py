"""The socket of one client, with its unsent answer, its deadline and the bytes kept for it.

PEER-1  At most one answer is unsent at a time, and nothing is read until it is sent: a peer that does not read holds
    one answer at most.
PEER-2  All bytes kept between two events (an unfinished head or body, an unsent answer, queued requests) count against
    the worker's `held_bytes_max`. An idle peer keeps nothing.
PEER-3  Every phase has a deadline.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from bloop.http.refusal import Refused
from bloop.http.shares import AddressShare

if TYPE_CHECKING:
    from bloop.http.server import HttpServer

# Plain integers: enum members cost a lookup on every event.
FRESH, IDLE, HEAD, BODY, WORKING, QUEUED, WRITING, LINGERING, CLOSED = range(9)

_DROP_UNSENT = struct.pack("ii", 1, 0)  # linger: on, for no time


class Peer(ABC):
    """The sending and closing half of a connection; `Connection` adds the requests."""

    __slots__ = (
        "_bytes_held",
        "_closes",
        "_lingers",
        "_server",
        "_unsent",
        "buffer",
        "deadline_s",
        "phase",
        "share",
        "sock",
    )

    def __init__(self, server: HttpServer, sock: socket.socket, share: AddressShare) -> None:
        self.sock = sock
        self.share = server.shares.join(share, self)
        self.phase = FRESH
        self.deadline_s = server.now_s + server.limits.header_timeout_s
        self.buffer = b""  # read and not yet used
        self._server = server
        self._bytes_held = 0
        self._unsent: memoryview | None = None
        self._closes = False  # once the answer is out …
        self._lingers = False  # … and only after the peer had time to read it

    @abstractmethod
    def on_turn(self) -> None:
        """Called by the server for each peer on its `ready` list."""

    def close(self) -> None:
        """Close the socket, in any phase; idempotent."""
        if self.phase == CLOSED:
            return
        self._server.forget(self)
        self.phase = CLOSED
        self._unsent = None
        self.buffer = b""
        self._hold(0)
        self._server.shares.leave(self.share, self)
        self.sock.close()

    def abort(self) -> None:
        """Close, and have the kernel drop what the peer has not taken: a peer that does not read costs nothing more."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_UNSENT)
        self.close()

    def refuse(self, refused: Refused) -> None:
        """Answer with an error and close, after reading and dropping what the peer sends during `linger_timeout_s`.

        Closing at once with bytes unread would make the kernel send a reset, which can overtake the answer.
        """
        self.buffer = b""
        self._hold(0)
        self._lingers = True
        if self._send(self._server.gateway.refuse(refused), b"", closes=True):
            self._finish()

    def _send(self, payload: bytes, rest: bytes, closes: bool) -> bool:
        """Send; False when the peer is gone or cannot take all of it now: then the requests in `rest` wait."""
        try:
            sent = self.sock.send(payload)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.close()
            return False
        if sent == len(payload):
            return True
        self._unsent = memoryview(payload)[sent:]
        self._closes = closes
        self.buffer = rest
        self._enter(WRITING, self._server.limits.write_timeout_s)
        self._server.watch(self, select.EPOLLOUT)
        if not self._hold(len(payload) + len(rest)):
            self.close()
        return False

    def _flush(self) -> None:
        """Send more of the unsent answer; after its end, close or continue with the requests in `buffer`."""
        assert self._unsent is not None
        try:
            sent = self.sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if sent < len(self._unsent):
            self._unsent = self._unsent[sent:]
            self._extend(sent, self._server.limits.write_timeout_s)
            return
        self._unsent = None
        self._hold(0)
        self._server.watch(self, select.EPOLLIN)
        if self._closes:
            self._finish()
        else:
            self._end_turn(self.buffer)

    def _end_turn(self, data: bytes) -> None:
        """Queue the connection for the requests in `data`; without any it becomes idle."""
        self.buffer = data
        if not data:
            if self._server.gateway.announces_close:  # the server is stopping: no connection may idle
                self.close()
            else:
                self._enter(IDLE, self._server.limits.keepalive_timeout_s)
            return
        self._enter(QUEUED, self._server.limits.keepalive_timeout_s)
        self._server.ready.append(self)
        if not self._hold(len(data)):
            self.close()

    def _finish(self) -> None:
        """After the last answer: close, or linger until the peer has read it."""
        if not self._lingers:
            self.close()
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self._enter(LINGERING, self._server.limits.linger_timeout_s)

    def _enter(self, phase: int, for_s: float) -> None:
        self.phase = phase
        self.deadline_s = self._server.now_s + for_s

    def _extend(self, byte_count: int, timeout_s: float) -> None:
        """Give a peer that made progress more time (`HttpLimits.bytes_per_s_min`), `timeout_s` ahead at most."""
        bytes_per_s = self._server.limits.bytes_per_s_min
        if bytes_per_s:
            self.deadline_s = min(self.deadline_s + byte_count / bytes_per_s, self._server.now_s + timeout_s)

    def _hold(self, byte_count: int) -> bool:
        """Account for what is kept between events (PEER-2); False when the worker as a whole, or the address of this
        peer, keeps too much."""
        server, share = self._server, self.share
        more = byte_count - self._bytes_held
        server.bytes_held += more
        share.bytes_held += more
        self._bytes_held = byte_count
        return server.bytes_held <= server.limits.held_bytes_max and share.bytes_held <= share.bytes_max

    def _count_for(self, share: AddressShare) -> None:
        """Count this peer, and what is kept for it, for another address."""
        shares, byte_count = self._server.shares, self._bytes_held
        self.share.bytes_held -= byte_count
        shares.leave(self.share, self)
        share.bytes_held += byte_count
        self.share = shares.join(share, self)
