"""Bounded connections that the other end can neither hold open nor redirect.

SOCKET-1  A name is resolved once. All its addresses are checked (guard.py), and only those are connected to: a later
          change of the name has no effect. Certificates are checked against the name.
SOCKET-2  One deadline covers everything: resolving, connecting, TLS, sending, and a slow receiver's every byte.
SOCKET-3  The bytes received are bounded, whatever protocol is above.

Plain system sockets: proxies of the environment are ignored.
"""

from __future__ import annotations

import functools
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import certifi

from bloop.base.config import Settings
from bloop.base.errors import Unreachable
from bloop.outbound.guard import Guard
from bloop.outbound.urls import IPAddress, address_in

Resolve = Callable[[str, int], Sequence[str]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SocketLimits:
    connect_s: float = 4.0  # per address, so that the next one can be tried
    http_s: float = 10.0  # a whole exchange
    smtp_s: float = 20.0  # mail servers delay unknown clients on purpose
    addresses_max: int = 4
    received_bytes_max: int = 1024 * 1024  # per connection
    body_bytes_max: int = 64 * 1024  # of an HTTP answer


class Bounds:
    """The remaining time and bytes of one exchange. One thread."""

    def __init__(self, seconds: float, bytes_max: int) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._bytes_left = bytes_max

    def left_s(self) -> float:
        """The remaining seconds. Raises: TimeoutError."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"not within {self.seconds:g} s")
        return left_s

    def receive(self, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise ConnectionAbortedError("the answer is too large")


class _Bounded:
    """SOCKET-2 and SOCKET-3 for either kind of socket. A TLS handshake is one call and uses the timeout set before."""

    bounds: Bounds

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        self.settimeout(self.bounds.left_s())  # type: ignore[attr-defined]
        count: int = super().recv_into(buffer, nbytes or memoryview(buffer).nbytes, flags)  # type: ignore[misc]
        self.bounds.receive(count)
        return count

    def send(self, data: Any, flags: int = 0) -> int:
        self.settimeout(self.bounds.left_s())  # type: ignore[attr-defined]
        return super().send(data, flags)  # type: ignore[misc,no-any-return]

    def sendall(self, data: Any, flags: int = 0) -> None:
        self.settimeout(self.bounds.left_s())  # type: ignore[attr-defined]
        super().sendall(data, flags)  # type: ignore[misc]


class PlainSocket(_Bounded, socket.socket):
    """A bounded connection without TLS."""


class TlsSocket(_Bounded, ssl.SSLSocket):
    """A bounded connection inside TLS."""


def system_resolve(host: str, port: int) -> Sequence[str]:
    """The addresses from the system's resolver, in its order. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def client_context(authorities: str | None = None) -> ssl.SSLContext:
    """TLS that verifies certificates and names, with the authorities of a PEM file or the system."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = TlsSocket
    paths = ssl.get_default_verify_paths()  # honours SSL_CERT_FILE and SSL_CERT_DIR
    if authorities is None and not paths.cafile and not paths.capath:
        authorities = certifi.where()  # a bare container
    if authorities is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(authorities)
    return context


@functools.cache
def system_context() -> ssl.SSLContext:
    """One per process: reading the authorities takes 30 ms."""
    return client_context()


@dataclass(frozen=True, slots=True)
class Outbound:
    """Opens all outbound connections of bloop. Threads may share it."""

    guard: Guard
    limits: SocketLimits = SocketLimits()
    resolve: Resolve = system_resolve
    tls: Callable[[], ssl.SSLContext] = system_context

    @classmethod
    def of(cls, settings: Settings) -> Outbound:
        alerting = settings.alerting
        return cls(Guard(allow_private=alerting.allow_private, allowed_hosts=alerting.allowed_hosts))

    def bounds(self, seconds: float) -> Bounds:
        return Bounds(seconds, self.limits.received_bytes_max)

    def connect(self, host: str, port: int, bounds: Bounds) -> PlainSocket:
        """Connect to `host` (SOCKET-1).

        Raises:
            OutboundRefused: the address is not allowed.
            Unreachable: the name has no address, or none answers.
        """
        addresses = self._look_up(host, port, bounds)
        self.guard.check_addresses(host, addresses)
        last_error: OSError | None = None
        for address in addresses[: self.limits.addresses_max]:
            try:
                return self._connect(address, port, bounds)
            except OSError as error:
                last_error = error
        raise Unreachable(
            f"{host}: {reason_of(last_error) if last_error else 'the name has no address'}"
        ) from last_error

    def secure(self, sock: PlainSocket, host: str) -> TlsSocket:
        """`sock` inside TLS, checked against the name `host`. Raises: OSError, and `sock` is closed."""
        try:
            sock.settimeout(sock.bounds.left_s())
            secured = self.tls().wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
        assert isinstance(secured, TlsSocket)
        secured.bounds = sock.bounds
        return secured

    def _look_up(self, host: str, port: int, bounds: Bounds) -> list[IPAddress]:
        literal = address_in(host)
        if literal is not None:
            return [literal]
        try:
            addresses = _within(lambda: self.resolve(host, port), bounds.left_s())
        except TimeoutError:
            raise Unreachable(f"{host}: looking up its address took too long") from None
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host}: the name cannot be looked up") from error
        return [ipaddress.ip_address(address) for address in addresses]

    def _connect(self, address: IPAddress, port: int, bounds: Bounds) -> PlainSocket:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        sock = PlainSocket(family, socket.SOCK_STREAM)
        sock.bounds = bounds
        try:
            sock.settimeout(min(bounds.left_s(), self.limits.connect_s))
            sock.connect((str(address), port))
        except BaseException:
            sock.close()
            raise
        return sock


def reason_of(error: Exception) -> str:
    """Why there was no answer, for display; holds no text of the other end."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS there as it should"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, ConnectionAbortedError):
        return str(error)
    if isinstance(error, ConnectionError):
        return "the connection was closed without an answer"
    return (error.strerror if isinstance(error, OSError) else None) or "the connection failed"


def _within(work: Callable[[], T], seconds: float) -> T:
    """The result or exception of `work`, or TimeoutError: the system's resolver has no deadline.

    An abandoned thread ends by itself and blocks nothing.
    """
    outcome: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcome.put((work(), None))
        except Exception as error:
            outcome.put((None, error))

    threading.Thread(target=run, name="look-up", daemon=True).start()
    try:
        value, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
