"""Calls the WSGI app and turns its answer into the bytes of one response.

GATEWAY-1  Every call gives exactly one well-framed response: the app's, or a 500 that closes the connection.
GATEWAY-2  A response is complete before its first byte is sent, so no app waits for a peer. Endless answers of the
    dashboard go on elsewhere (dashboard_server.py).

Most answers have the same status and headers, so encoded heads are cached by value; a cached head has passed every
check.
"""

from __future__ import annotations

import logging
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from email.utils import formatdate
from time import perf_counter_ns
from typing import Any, NamedTuple

from bloop.base.meters import ANSWER_BOUNDS_NS, RouteMeters, Tally
from bloop.http.limits import HttpLimits
from bloop.http.refusal import Refused, fixed_lines, refusal_bytes
from bloop.http.request import Environ, RequestLine

logger = logging.getLogger(__name__)

WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Headers = list[tuple[str, str]]

NO_METERS = RouteMeters(())  # every answer counts as one of no route

_HEADS_CACHED_MAX = 512

_STATUS = re.compile(r"[2-5][0-9]{2} [\t\x20-\x7e\x80-\xff]*")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "server", "date"}  # this server sends them itself
)


class ResponseHead(NamedTuple):
    """An encoded status line with headers, and the framing they require."""

    encoded: bytes
    content_length: int | None
    forbids_body: bool
    forbids_length: bool


class Gateway:
    """One per worker; the app is called inline, so one response at a time."""

    def __init__(
        self, app: WsgiApp, limits: HttpLimits, meters: RouteMeters = NO_METERS, *, https: bool = False
    ) -> None:
        """`https`: the installation is reached over https, which refusals say to browsers."""
        self._app = app
        self._response_bytes_max = limits.response_bytes_max
        self._heads: dict[tuple[str, tuple[tuple[str, str], ...]], ResponseHead] = {}
        self._status: str | None = None
        self._headers: Headers = []
        self._written: list[bytes] = []
        self._refusal_lines = fixed_lines(https=https)
        self.tally = Tally(meters)
        self.date_line = b""
        self.announces_close = False  # set, possibly by a signal handler, to close connections after their answer

    def set_date(self, unix_s: float) -> None:
        self.date_line = f"Date: {formatdate(unix_s, usegmt=True)}\r\n".encode("ascii")

    def refuse(self, refused: Refused) -> bytes:
        self.tally.note_refusal(refused.status)
        return refusal_bytes(refused, self._refusal_lines + self.date_line)

    def call(self, environ: Environ, line: RequestLine, keep_alive: bool) -> tuple[bytes, bool]:
        """The response to one request, and whether the connection may carry another."""
        started_ns = perf_counter_ns()
        try:
            body = self._body_of(self._app(environ, self._start_response))
            head = self._head()
            keep_alive = keep_alive and not self.announces_close  # after the app: a stop may have begun meanwhile
            response = self._join(head, body, line, keep_alive)
            cell = line.cells.get(self._status or "")
            if cell is None:
                cell = self._cell(line)
            took_ns = perf_counter_ns() - started_ns
            cell[bisect_left(ANSWER_BOUNDS_NS, took_ns)] += 1
            cell[-1] += took_ns
            return response, keep_alive
        except Exception:
            logger.exception("a request failed", extra={"action": "request_failed"})  # never its path (LOG-2)
            return self.refuse(Refused(500, "internal error")), False
        finally:
            self._status = None

    def _cell(self, line: RequestLine) -> list[int]:
        request, status = line.environ, self._status or ""
        cell = line.cells[status] = self.tally.cell(request["REQUEST_METHOD"], request["PATH_INFO"], status)
        return cell

    def _start_response(self, status: str, headers: Headers, exc_info: object = None) -> Callable[[bytes], None]:
        # Nothing has been sent yet, so a second call with exc_info simply replaces the first.
        if self._status is not None and exc_info is None:
            raise RuntimeError("start_response called twice")
        self._status, self._headers = status, headers
        if self._written:
            self._written = []
        return self._written.append

    def _body_of(self, result: Iterable[bytes]) -> bytes:
        if type(result) is list and len(result) == 1 and not self._written:
            body: bytes = result[0]
        else:
            body = self._collect(result)
        if len(body) > self._response_bytes_max:
            raise ValueError(f"response exceeds {self._response_bytes_max} bytes")
        return body

    def _collect(self, result: Iterable[bytes]) -> bytes:
        pieces, size = [], 0
        try:
            for piece in result:
                pieces.append(piece)
                size += len(piece)
                if size > self._response_bytes_max:
                    break
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        # write() comes before the iterable, even when a generator calls it late (PEP 3333).
        written, self._written = self._written, []
        return b"".join(written + pieces)

    def _head(self) -> ResponseHead:
        status, headers = self._status, self._headers
        if status is None:
            raise RuntimeError("the app answered without calling start_response")
        key = (status, tuple(headers))
        head = self._heads.get(key)
        if head is None:
            head = encode_head(status, headers)
            if len(self._heads) >= _HEADS_CACHED_MAX:
                self._heads.clear()
            self._heads[key] = head
        return head

    def _join(
        self, head: ResponseHead, body: bytes, line: RequestLine, keep_alive: bool, *, is_endless: bool = False
    ) -> bytes:
        length = head.content_length
        extra = self.date_line
        if head.forbids_body or line.is_head:
            if length is None and body and not head.forbids_length:
                extra += b"Content-Length: %d\r\n" % len(body)
            body = b""
        elif is_endless:
            pass  # it ends with the connection
        elif length is None:
            extra += b"Content-Length: %d\r\n" % len(body)
        elif length != len(body):
            raise ValueError(f"Content-Length says {length}, the body has {len(body)} bytes")
        if not keep_alive:
            extra += b"Connection: close\r\n"
        elif line.is_http_10:
            extra += b"Connection: keep-alive\r\n"
        return b"%b%b\r\n%b" % (head.encoded, extra, body)


def encode_head(status: str, headers: Headers) -> ResponseHead:
    """Check and encode a status with its headers; connection control, Server and Date are this server's own."""
    if _STATUS.fullmatch(status) is None:
        raise ValueError(f"invalid status {status!r}")
    code = int(status[:3])
    forbids_length = code == 204
    length: int | None = None
    lines = [f"HTTP/1.1 {status}\r\nServer: bloop\r\n"]
    for name, value in headers:
        if _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise ValueError(f"invalid response header {name!r}")
        lowered = name.lower()
        if lowered in _HOP_BY_HOP or (lowered == "content-length" and forbids_length):
            continue
        if lowered == "content-length":
            length = int(value)
        lines.append(f"{name}: {value.strip()}\r\n")
    return ResponseHead("".join(lines).encode("latin-1"), length, code in (204, 304), forbids_length)
