"""Endpoints on loopback that take alerts: they remember what they got and answer as told, rudely if told so."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import trustme

from bloop.base.config import Alerting, Settings
from bloop.outbound.guard import Guard
from bloop.outbound.sockets import Outbound, SocketLimits, client_context

NAME = "receiver.example"  # what the stub resolver finds on loopback, and what certificates are made for
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


class Got(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


Behave = Callable[["Receiver", socket.socket], None]


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole HTTP answer; `retry_after="7"` is a header."""
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Receiver:
    """Each request gets the next of `answers`, the last one for ever: bytes, or what to do with the connection."""

    def __init__(self, *answers: bytes | Behave, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._answers = list(answers) or [OK]
        self._tls = tls
        self.got: list[Got] = []
        self.server_name: str | None = None  # by SNI
        self.stopping = threading.Event()
        if tls is not None:
            tls.sni_callback = self._hear_name
        self._server = Server(host, self._serve)
        self.host, self.port = self._server.host, self._server.port

    def url(self, host: str = "", path: str = "/hook") -> str:
        return f"{'https' if self._tls else 'http'}://{host or self.host}:{self.port}{path}"

    def close(self) -> None:
        self.stopping.set()
        self._server.close()

    def _hear_name(self, sock: Any, name: str | None, context: Any) -> None:
        self.server_name = name

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client went away, which is what some tests are about
            sock.settimeout(20)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as stream:
                self.got.append(_read(stream))
                behave = self._answers[min(len(self.got), len(self._answers)) - 1]
                if isinstance(behave, bytes):
                    sock.sendall(behave)
                else:
                    behave(self, sock)


class Server(socketserver.ThreadingTCPServer):
    """Gives each connection to `serve`, in a thread of its own."""

    daemon_threads = False
    request_queue_size = 16

    def __init__(self, host: str, serve: Callable[[socket.socket], None]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._serve = serve
        super().__init__((host, 0), socketserver.BaseRequestHandler)
        self.host, self.port = self.server_address[:2]
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()  # waits for the connections' threads
        self._thread.join()

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._serve(request)


def _read(stream: Any) -> Got:
    line, headers = stream.readline().decode().strip(), {}
    while header := stream.readline().strip():
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    return Got(line, headers, stream.read(int(headers.get("content-length", 0))))


# Ways to misbehave


def silent(receiver: Receiver, sock: socket.socket) -> None:
    """Takes the request and says nothing."""
    receiver.stopping.wait(20)


def hang_up(receiver: Receiver, sock: socket.socket) -> None:
    """Takes the request and goes."""


def dripping(beginning: bytes, drop: bytes = b"x") -> Behave:
    """Says `beginning`, then a byte now and then, for ever."""

    def drip(receiver: Receiver, sock: socket.socket) -> None:
        sock.sendall(beginning)
        while not receiver.stopping.wait(0.02):
            sock.sendall(drop)

    return drip


def endless(beginning: bytes) -> Behave:
    """Says `beginning` and then as much as it can."""

    def pour(receiver: Receiver, sock: socket.socket) -> None:
        sock.sendall(beginning)
        while not receiver.stopping.is_set():
            sock.sendall(b"x" * 65536)

    return pour


# The other side


@dataclass
class StubResolver:
    """Finds what it is told, one answer a question; asked once more than that, it fails the test."""

    answers: Sequence[Sequence[str]] = (("127.0.0.1",),)
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        assert len(self.asked) <= len(self.answers), f"{host} was looked up {len(self.asked)} times"
        return self.answers[len(self.asked) - 1]


class Authority(NamedTuple):
    """A CA of our own: `context` is a server's, `path` what clients are to trust."""

    ca: trustme.CA
    path: Path

    def context(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*(names or (NAME, "127.0.0.1"))).configure_cert(context)
        return context


def make_authority(folder: Path) -> Authority:
    ca, path = trustme.CA(), folder / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return Authority(ca, path)


def way_out(
    *allowed_hosts: str,
    resolve: Callable[[str, int], Sequence[str]] | None = None,
    trust: Authority | None = None,
    **limits: Any,
) -> Outbound:
    """To loopback, unless other hosts are named."""
    return Outbound(
        Guard(allowed_hosts=allowed_hosts or ("127.0.0.1",)),
        SocketLimits(**limits),
        resolve or StubResolver(),
        lambda: client_context(str(trust.path) if trust else None),
    )


def settings_to_loopback(**sections: Any) -> Settings:
    return Settings(alerting=Alerting(allowed_hosts=("127.0.0.1",)), **sections)


@contextlib.contextmanager
def receiver(
    *answers: bytes | Behave, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Receiver]:
    made = Receiver(*answers, tls=tls, host=host)
    try:
        yield made
    finally:
        made.close()
