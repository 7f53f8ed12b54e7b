"""A client that sees every byte, because these tests are about framing that real HTTP clients hide."""

from __future__ import annotations

import json
import socket
from typing import Any, NamedTuple

PATIENCE_S = 8.0


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One TCP connection with a receive buffer, so that pipelined answers can be read one by one."""

    def __init__(self, port: int, receive_buffer_bytes: int | None = None) -> None:
        self.sock = socket.socket()
        self.sock.settimeout(PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer_bytes is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._unread = bytearray()
        try:
            self.sock.connect(("127.0.0.1", port))
        except OSError:
            self.sock.close()
            raise

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, target: str, method: str = "GET", headers: str = "") -> Response:
        self.send(f"{method} {target} HTTP/1.1\r\nHost: test\r\n{headers}\r\n".encode("latin-1"))
        return self.response(method)

    def post(self, target: str, body: bytes, headers: str = "") -> Response:
        self.send(post_bytes(target, body, headers))
        return self.response()

    def response(self, method: str = "GET") -> Response:
        """The next answer, its framing checked."""
        head = self._read_until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert len(headers) == len(lines), f"repeated headers in {head}"
        return Response(int(status), headers, self._body(method, int(status), headers))

    def _body(self, method: str, status: int, headers: dict[str, str]) -> bytes:
        if method == "HEAD" or status in (100, 204, 304):
            return b""
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" in headers:
            return self._read(int(headers["content-length"]))
        return self.rest()

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._read_until(b"\r\n"), 16):
            body += self._read(size)
            assert self._read(2) == b"\r\n"
        assert self._read(2) == b"\r\n"
        return body

    def frame(self) -> bytes:
        """One event of a stream that goes on."""
        return self._read_until(b"\n\n")

    def head(self) -> str:
        """The head of an answer whose body is a stream."""
        return self._read_until(b"\r\n\r\n").decode("latin-1")

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while self.receive():
            pass
        return self._take(len(self._unread))

    def is_closed(self) -> bool:
        """Whether the server closes without sending anything more (waits for it)."""
        return self.rest() == b""

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Close with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.sock.close()

    def receive(self) -> bool:
        """Wait for more bytes; False at the end of the connection."""
        data = self.sock.recv(65536)
        self._unread += data
        return bool(data)

    def _read_until(self, end: bytes) -> bytes:
        while end not in self._unread:
            assert self.receive(), f"connection ended after {self._unread!r}"
        return self._take(self._unread.index(end) + len(end))

    def _read(self, size: int) -> bytes:
        while len(self._unread) < size:
            assert self.receive(), f"connection ended {size - len(self._unread)} bytes early"
        return self._take(size)

    def _take(self, size: int) -> bytes:
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data


def post_bytes(target: str, body: bytes, headers: str = "") -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode("latin-1") + body


def get_bytes(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode("latin-1")
