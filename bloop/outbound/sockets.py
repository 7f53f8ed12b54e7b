"""Connections that cannot be held open or redirected by who is at the other end.

S1  A name is looked up once. All its addresses are judged (guard.py), and exactly those are connected to: what the name
    resolves to a moment later plays no part. Certificates are checked against the name.
S2  Everything together (looking up, connecting, TLS, sending, every byte that drips in) ends by one deadline.
S3  What is received is bounded, whatever the protocol above makes of it.

Plain system sockets underneath: no proxy of the environment is asked, none is believed.
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
    connect_s: float = 4.0  # for one address: the next one still gets its chance
    http_s: float = 10.0  # a whole exchange
    smtp_s: float = 20.0  # mail servers let strangers wait on purpose
    addresses_max: int = 4
    received_bytes_max: int = 1024 * 1024  # of one connection
    body_bytes_max: int = 64 * 1024  # of an HTTP answer


class Bounds:
    """What is left of the time and the bytes of one exchange. One thread."""

    def __init__(self, seconds: float, bytes_max: int) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._bytes_left = bytes_max

    def left_s(self) -> float:
        """Raises: TimeoutError, when nothing is."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"not within {self.seconds:g} s")
        return left_s

    def receive(self, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise ConnectionAbortedError("it sent more than anybody would read")


class _Bounded:
    """S2 and S3 for either kind of socket. TLS handshakes are one call each and go by the timeout set before."""

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
    """What the system's resolver says, in the order it prefers. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def client_context(authorities: str | None = None) -> ssl.SSLContext:
    """TLS that checks certificates and names, by the authorities in a PEM file or the system's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = TlsSocket
    paths = ssl.get_default_verify_paths()  # SSL_CERT_FILE and SSL_CERT_DIR count
    if authorities is None and not paths.cafile and not paths.capath:
        authorities = certifi.where()  # a bare container
    if authorities is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(authorities)
    return context


@functools.cache
def system_context() -> ssl.SSLContext:
    """One for the process: reading the authorities takes 30 ms."""
    return client_context()


@dataclass(frozen=True, slots=True)
class Outbound:
    """The way out: everything that bloop sends by itself goes through one of these. Threads may share it."""

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
        """A connection to `host`, S1.

        Raises:
            OutboundRefused: it is not where bloop sends to.
            Unreachable: it has no address, or nobody answers at any of them.
        """
        addresses = self._look_up(host, port, bounds)
        self.guard.judge(host, addresses)
        trouble: OSError | None = None
        for address in addresses[: self.limits.addresses_max]:
            try:
                return self._connect(address, port, bounds)
            except OSError as error:
                trouble = error
        raise Unreachable(f"{host}: {reason_of(trouble) if trouble else 'the name has no address'}") from trouble

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
            found = _within(lambda: self.resolve(host, port), bounds.left_s())
        except TimeoutError:
            raise Unreachable(f"{host}: looking up its address took too long") from None
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"{host}: the name cannot be looked up") from error
        return [ipaddress.ip_address(address) for address in found]

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


def reason_of(trouble: Exception) -> str:
    """Why there was no answer, in words for people; nothing the other end said is in them."""
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {trouble.verify_message}"
    if isinstance(trouble, TimeoutError):
        return "nobody answered in time"
    if isinstance(trouble, ssl.SSLError):
        return "it does not speak TLS there as it should"
    if isinstance(trouble, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(trouble, ConnectionAbortedError):
        return str(trouble)
    if isinstance(trouble, ConnectionError):
        return "the connection was closed without an answer"
    return (trouble.strerror if isinstance(trouble, OSError) else None) or "the connection failed"


def _within(work: Callable[[], T], seconds: float) -> T:
    """What `work` gives or raises, waiting no longer than that: the system's resolver knows no deadline.

    A thread that is given up on ends by itself, and holds up nothing that ends sooner.
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
