"""A server of a few lines for the load generator to meet: answers what it is told, when it is told."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

ACCEPTED = b'{"status":"accepted"}'


def answer(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@dataclass
class StubServer:
    """`reply(request number)` gives the pieces to send, one after the other; nothing at all closes the connection."""

    reply: Callable[[int], list[bytes]] = lambda number: [answer(ACCEPTED)]
    before_reply: Callable[[int], None] = lambda number: None
    requests: list[bytes] = field(default_factory=list)
    port: int = 0
    _buffers: dict[socket.socket, bytes] = field(default_factory=dict)

    @contextmanager
    def serving(self) -> Iterator[StubServer]:
        waker, stopper = socket.socketpair()
        with socket.create_server(("127.0.0.1", 0)) as listener, waker, stopper:
            self.port = listener.getsockname()[1]
            thread = threading.Thread(target=self._serve, args=(listener, waker))
            thread.start()
            try:
                yield self
            finally:
                stopper.close()
                thread.join()
                for connection in self._buffers:
                    connection.close()

    def _serve(self, listener: socket.socket, waker: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(waker, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is waker:
                        return
                    if key.fileobj is listener:
                        connection, _ = listener.accept()
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        self._buffers[connection] = b""
                        selector.register(connection, selectors.EVENT_READ)
                    elif not self._take(key.fileobj):  # type: ignore[arg-type]
                        selector.unregister(key.fileobj)

    def _take(self, connection: socket.socket) -> bool:
        """Read; answer every whole request; False when the connection is done with."""
        try:
            data = connection.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        self._buffers[connection] += data
        while (end := whole_request(self._buffers[connection])) is not None:
            self.requests.append(self._buffers[connection][:end])
            self._buffers[connection] = self._buffers[connection][end:]
            number = len(self.requests) - 1
            self.before_reply(number)
            pieces = self.reply(number)
            if not pieces:
                connection.shutdown(socket.SHUT_RDWR)
                return False
            with suppress(ConnectionError):
                for piece in pieces:
                    connection.sendall(piece)
        return bool(data)


def whole_request(data: bytes) -> int | None:
    """Where the first request in `data` ends; None while it is not whole."""
    head, found, _ = data.partition(b"\r\n\r\n")
    if not found:
        return None
    end = len(head) + 4 + int(headers_of(data).get("content-length", "0"))
    return end if len(data) >= end else None


def headers_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
