"""One client of an ingest worker: its requests in, their answers out, in order.

        FRESH ──▶ HEAD ──▶ BODY ──▶ (answer) ──▶ IDLE ──▶ HEAD …
                                     │   └─────▶ QUEUED      more requests have arrived than one turn allows
                                     └─────────▶ WRITING     the peer reads the answer slowly
        any ──▶ LINGERING    refused; waits for the peer to read the refusal

A request whose bytes all arrive at once, the usual case, is answered from IDLE to IDLE in one call of `on_event`.

CONNECTION-1  An event is a hint: the descriptor number may have been reused since the kernel reported it. So the socket
    is non-blocking and a read that finds nothing is ignored.
CONNECTION-2  A request goes to the dashboard only when its head is complete: slow clients cost the dashboard nothing.
"""

from __future__ import annotations

import socket
from io import BytesIO
from typing import TYPE_CHECKING

from bloop.http.body import Body, ChunkedBody, SizedBody
from bloop.http.limits import RECV_BYTES
from bloop.http.peer import BODY, CLOSED, HEAD, IDLE, LINGERING, QUEUED, WORKING, WRITING, Peer
from bloop.http.refusal import Refused, body_refusal
from bloop.http.request import Environ, RequestLine, incomplete_head_fault, skip_empty_lines, wants_keep_alive
from bloop.http.spool import MemoryStore, Spool, Store

if TYPE_CHECKING:
    from bloop.http.server import HttpServer

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(Peer):
    """Driven by its server's loop: `on_event`, `take`, `on_turn` and `expire` are the only ways in."""

    __slots__ = ("_address", "_peer_share", "_pending", "_port")

    def __init__(self, server: HttpServer, sock: socket.socket, address: object) -> None:
        self._address, self._port = "", ""  # a Unix-socket client has none
        if isinstance(address, tuple):
            self._address, self._port = address[0], str(address[1])
        self._peer_share = server.shares.of_peer(self._address)
        super().__init__(server, sock, self._peer_share)
        self._pending: tuple[RequestLine, Environ, Body] | None = None  # the request whose body is awaited

    # -- ways in -------------------------------------------------------------------------------------------------

    def on_event(self) -> None:
        """The kernel reported something about the socket."""
        phase = self.phase
        if phase == WRITING:
            self._flush()
            return
        if phase in (QUEUED, WORKING, CLOSED):
            return
        try:
            data = self.sock.recv(RECV_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if not data:
            # Every complete request has been answered, so a half-closed peer has nothing more to receive.
            self.close()
        elif phase == BODY:
            self._take_body(data)
        elif phase != LINGERING:
            self._serve(self.buffer + data if self.buffer else data)

    def take(self, data: bytes) -> None:
        """Continue with bytes that another worker has read."""
        self._serve(data)

    def on_turn(self) -> None:
        """Continue a queued connection: its turn has come again."""
        if self.phase == QUEUED:
            self.phase = IDLE
            self._serve(self.buffer)

    def expire(self) -> None:
        """The deadline passed: answer an unfinished request with 408, close in any other phase."""
        if self.phase in (HEAD, BODY):
            self.refuse(Refused(408, "request took too long"))
        elif self.phase == WRITING:
            self.abort()
        else:
            self.close()

    def close(self) -> None:
        self._drop_body()
        super().close()

    def refuse(self, refused: Refused) -> None:
        self._drop_body()
        super().refuse(refused)

    def _drop_body(self) -> None:
        if self._pending is not None:
            self._pending[2].stream.close()
            self._pending = None

    # -- requests ------------------------------------------------------------------------------------------------

    def _serve(self, data: bytes) -> None:
        """Answer the complete requests in `data`, in order; keep the bytes after them."""
        server = self._server
        lines = server.heads.lines
        if self._bytes_held:
            self._hold(0)
        try:
            for _ in range(server.limits.pipeline_max):
                if data[:2] == b"\r\n":
                    data = skip_empty_lines(data)
                if not data:
                    break
                end = data.find(b"\r\n\r\n") + 4
                if end == 3:
                    self._await_head(data)
                    return
                raw_line = data[: data.find(b"\r\n")]
                line = lines.get(raw_line) or server.heads.line(raw_line)
                if not line.is_ours:
                    self._hand_over(data)
                    return
                rest = self._begin(line, data[:end], data[end:])
                if rest is None:
                    return
                data = rest
            self._end_turn(data)
        except Refused as refused:
            self.refuse(refused)

    def _await_head(self, data: bytes) -> None:
        fault = incomplete_head_fault(data, self._server.limits)
        if fault is not None:
            raise fault
        self.buffer = data
        if not self._hold(len(data)):
            raise memory_refusal()
        if self.phase != HEAD:  # the deadline counts from the first byte; later bytes do not extend it
            self._enter(HEAD, self._server.limits.header_timeout_s)

    def _begin(self, line: RequestLine, head: bytes, data: bytes) -> bytes | None:
        """Answer a request with a complete head if its body is complete too; the bytes after it, or None to stop."""
        environ = self._server.heads.environ(line, head)
        announced = environ.get("CONTENT_LENGTH")
        if announced is None and "HTTP_TRANSFER_ENCODING" not in environ:
            return self._answer(line, environ, BytesIO(), data)
        bytes_max = line.body_bytes_max
        if announced is None:
            # The app gets the decoded body with its length, as if the client had sent Content-Length.
            check_transfer_encoding(environ.pop("HTTP_TRANSFER_ENCODING"), line)
            return self._await_body(line, environ, ChunkedBody(bytes_max, self._store()), data)
        length = int(announced)
        if length > bytes_max:
            raise body_refusal(bytes_max)
        if len(data) < length:
            return self._await_body(line, environ, SizedBody(length, self._store()), data)
        return self._answer(line, environ, BytesIO(data[:length]), data[length:])

    def _await_body(self, line: RequestLine, environ: Environ, body: Body, data: bytes) -> bytes | None:
        expectation = environ.get("HTTP_EXPECT")
        if expectation is not None and not line.is_http_10:
            if expectation.lower() != "100-continue":
                raise Refused(417, "expectation not supported")
            if not data and not self._send_interim(_CONTINUE):
                return None
        self._pending = (line, environ, body)
        self.buffer = b""
        self._count_for_client(environ)
        self._enter(BODY, self._server.limits.body_timeout_s)
        return self._feed(data)

    def _take_body(self, data: bytes) -> None:
        try:
            rest = self._feed(data)
        except Refused as refused:
            self.refuse(refused)
            return
        if rest is not None:
            self._serve(rest)

    def _feed(self, data: bytes) -> bytes | None:
        """Add to the awaited body and answer once it is complete; the bytes after it, or None to stop."""
        assert self._pending is not None
        line, environ, body = self._pending
        rest = body.feed(data)
        if rest is None:
            if not self._hold(body.bytes_held):
                raise memory_refusal()
            self._extend(len(data), self._server.limits.body_timeout_s)
            return None
        environ["CONTENT_LENGTH"] = str(body.stream.tell())
        body.stream.seek(0)
        self._pending = None
        self._hold(0)
        if self.share is not self._peer_share:
            self._count_for(self._peer_share)
        self.phase = IDLE
        return self._answer(line, environ, body.stream, rest)

    def _store(self) -> Store:
        """Where a body that is not complete yet is kept."""
        return MemoryStore()

    def _count_for_client(self, environ: Environ) -> None:
        """Count a request that came through a proxy for the client it names (SHARES-2). Raises Refused."""
        if self._peer_share is self._server.shares.unbounded:
            environ["REMOTE_ADDR"] = self._address
            self._count_for(self._server.shares.of_request(environ))
            if self.share.is_over:
                raise crowd_refusal()

    def _answer(self, line: RequestLine, environ: Environ, body: BytesIO | Spool, rest: bytes) -> bytes | None:
        """Call the app and send its answer; `rest`, or None when the connection waits (keeping `rest`) or closes."""
        server = self._server
        environ["wsgi.input"] = body
        environ["REMOTE_ADDR"] = self._address
        environ["REMOTE_PORT"] = self._port
        server.request_count += 1
        payload, keep_alive = server.gateway.call(environ, line, wants_keep_alive(environ, line))
        self._lingers = bool(rest) and not keep_alive
        if not self._send(payload, rest, closes=not keep_alive):
            return None
        if not keep_alive:
            self._finish()
            return None
        return rest

    def _hand_over(self, data: bytes) -> None:
        """Pass the connection to the dashboard, with this request and all later ones."""
        sender = self._server.handoff
        assert sender is not None, "without a hand-off every path is ours"
        sender.send(self.sock, data)
        # The dashboard's copy keeps the open file alive, and with it our epoll registration: remove that first.
        self._server.unwatch(self)
        self.close()

    def _send_interim(self, payload: bytes) -> bool:
        """Send a few bytes with nothing else in flight; close the connection of a peer that cannot take them."""
        try:
            is_sent = self.sock.send(payload) == len(payload)
        except OSError:
            is_sent = False
        if not is_sent:
            self.close()
        return is_sent


def check_transfer_encoding(coding: str, line: RequestLine) -> None:
    """Raise Refused unless the Transfer-Encoding is `chunked`, in HTTP/1.1."""
    if line.is_http_10:
        raise Refused(400, "Transfer-Encoding in an HTTP/1.0 request")
    if coding.lower() != "chunked":
        raise Refused(501, "transfer coding not implemented")


def crowd_refusal() -> Refused:
    return Refused(429, "too many connections from your address", retry_after_s=1)


def memory_refusal() -> Refused:
    return Refused(503, "too many unfinished requests", retry_after_s=1)
