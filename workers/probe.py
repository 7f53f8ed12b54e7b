"""Checks without waiting whether a server answers. Hand-written, because an HTTP client library costs megabytes."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from types import TracebackType

Address = tuple[str, int] | str


class Probe:
    """Sends one request and repeats it until an answer comes: the listener may not be bound or served yet."""

    def __init__(self, family: socket.AddressFamily, address: Address, method: str, path: str) -> None:
        self._family, self._address = family, address
        self._request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        self._connection: socket.socket | None = None

    @classmethod
    def of_port(cls, listener: socket.socket, method: str, path: str) -> Probe:
        """A probe, from this machine, of the port that `listener` listens on."""
        host, port = listener.getsockname()[:2]
        if host in ("0.0.0.0", "::"):  # noqa: S104
            host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
        return cls(listener.family, (host, port), method, path)

    @classmethod
    def of_socket(cls, path: Path, method: str, target: str) -> Probe:
        return cls(socket.AF_UNIX, str(path), method, target)

    def answered(self) -> bool:
        """Whether an HTTP answer, of any status, has come."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            answer = self._connection.recv(64)
        except BlockingIOError:
            return False
        except OSError:
            answer = b""
        if not answer:
            self.close()
        return answer.startswith(b"HTTP/1.")

    def _connect(self) -> socket.socket:
        connection = socket.socket(self._family, socket.SOCK_STREAM)
        try:
            connection.settimeout(1.0)  # a local listener accepts a connection at once or refuses it
            connection.connect(self._address)
            connection.sendall(self._request)
            connection.setblocking(False)
        except OSError:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Probe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
