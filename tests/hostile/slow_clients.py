"""Clients that hold a server up without any credential: each kind as many connections as asked, renewed when closed."""

from __future__ import annotations

import contextlib
import itertools
import math
import selectors
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from tests.hostile.latency import Request, measure
from tests.waiting import fastest

Connect = Callable[[str], socket.socket]  # from a source address

ADDRESSES = [f"127.0.9.{n}" for n in range(1, 9)]  # all of 127.0.0.0/8 is this machine; more than one, so no cap helps
HOST = "errors.example.com"  # as the shipped proxies' configurations know it
RENEWED_PER_S_MAX = 100  # an attacker that only connects measures the kernel
WORSE_MAX = 2.0
MEASURED_S = 2.0
UNDISTURBED_WINDOWS = 3
SETTLE_S = 2.0
_LOOK_EVERY_S = 0.05
_RECEIVE_BUFFER_BYTES = 4096


class Kind(StrEnum):
    SLOW_BODY = "a byte of a body per second"
    SLEEPY_BODY = "a byte of a body every 10 s"
    SLOW_INGEST = "a byte of an event per second"
    NEVER_READS = "never reads"
    HALF_HEADS = "half second heads"


class Plan(NamedTuple):
    """What one connection of a kind sends."""

    first: bytes
    then: bytes  # after the first answer
    drip: bytes
    every_s: float
    reads: bool = True


def _head(line: str, *fields: str) -> bytes:
    return "".join(f"{text}\r\n" for text in (f"{line} HTTP/1.1", f"Host: {HOST}", *fields, "")).encode()


_BODY = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 4000")
PLANS = {
    Kind.SLOW_BODY: Plan(_head("POST /auth/login", *_BODY), b"", b"x", 1.0),
    Kind.SLEEPY_BODY: Plan(_head("POST /auth/login", *_BODY), b"", b"x", 10.0),
    Kind.SLOW_INGEST: Plan(_head("POST /v1/ingest", "Content-Length: 30000") + b"{" * 20_000, b"", b"x", 1.0),
    Kind.HALF_HEADS: Plan(_head("GET /health"), b"GET /health HTTP/1.1\r\nHo", b"", 10.0),
}


def plan_of(kind: Kind, long_answer: str) -> Plan:
    """`long_answer` is a path: the kernel must not be able to hold a few of its answers."""
    if kind is Kind.NEVER_READS:
        # The empty lines, which any request may begin with, are how it notices that it was cut off.
        return Plan(_head(f"GET {long_answer}") * 200, b"", b"\r\n", 1.0, reads=False)
    return PLANS[kind]


class _Slow:
    """One connection."""

    def __init__(self, sock: socket.socket, plan: Plan, now_s: float) -> None:
        self.sock, self._plan = sock, plan
        sock.setblocking(False)
        self._unsent = plan.first
        self._then = plan.then
        self._next_s = now_s + plan.every_s

    def turn(self, now_s: float, is_readable: bool) -> bool:
        """Send and receive what is due; False when the server has closed."""
        try:
            if is_readable and self._plan.reads:
                if not self.sock.recv(65_536):
                    return False
                self._unsent, self._then = self._unsent + self._then, b""
            if self._plan.drip and now_s >= self._next_s:
                self._next_s = now_s + self._plan.every_s
                self._unsent += self._plan.drip
            if self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            return False
        return True


class Attack:
    """Runs in a thread until it is stopped."""

    def __init__(self, plan: Plan, count: int, connect: Connect) -> None:
        self._plan, self._count, self._connect = plan, count, connect
        self._addresses = itertools.cycle(ADDRESSES)
        self._selector = selectors.DefaultSelector()
        self._slow: set[_Slow] = set()
        self._stopping = threading.Event()
        self._is_full = threading.Event()
        self._thread = threading.Thread(target=self._run, name="attack")
        self.opened = 0

    def start(self) -> None:
        """Returns when every connection is open."""
        self._thread.start()
        assert self._is_full.wait(60), f"{len(self._slow)} of {self._count} connections"

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        for slow in self._slow:
            slow.sock.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            burst = self._count if not self._is_full.is_set() else int(RENEWED_PER_S_MAX * _LOOK_EVERY_S)
            for _ in range(min(burst, self._count - len(self._slow))):
                self._open()
            if not self._is_full.is_set() and len(self._slow) == self._count:
                self._is_full.set()
            readable = {key.data for key, _ in self._selector.select(0)} if self._plan.reads else set()
            now_s = time.monotonic()
            for slow in [slow for slow in self._slow if not slow.turn(now_s, slow in readable)]:
                self._slow.discard(slow)
                self._selector.unregister(slow.sock)
                slow.sock.close()
            self._stopping.wait(_LOOK_EVERY_S)

    def _open(self) -> None:
        with contextlib.suppress(OSError):
            slow = _Slow(self._connect(next(self._addresses)), self._plan, time.monotonic())
            self._slow.add(slow)
            self._selector.register(slow.sock, selectors.EVENT_READ, slow)
            self.opened += 1


def connector(port: int) -> Connect:
    """Connects to a port of this machine, with a small receive buffer."""

    def connect(source: str) -> socket.socket:
        sock = socket.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            sock.settimeout(5)
            sock.bind((source, 0))
            sock.connect(("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return sock

    return connect


@contextlib.contextmanager
def attacking(plan: Plan, count: int, connect: Connect) -> Iterator[Attack]:
    attack = Attack(plan, count, connect)
    try:
        attack.start()
        yield attack
    finally:
        attack.stop()


def times_slower(requests: Mapping[str, Request], plan: Plan, count: int, connect: Connect) -> float:
    """The worst 99th percentile of ordinary requests while `count` slow clients are there, in terms of the undisturbed.

    An attack begins with work that any client may ask for, as many answers as kernels and proxies hold; what counts is
    how it is once that is done, and as long as the attack goes on. A window of two seconds has a hundred requests, so
    its 99th percentile is as noisy as the machine: the undisturbed one is the median of three windows, and each request
    has eight windows to come near it.
    """
    measure(requests, 0.5)
    undisturbed = [measure(requests, MEASURED_S) for _ in range(UNDISTURBED_WINDOWS)]
    usual_ms = {name: statistics.median(window[name].p99_ms for window in undisturbed) for name in requests}
    best_ms = dict.fromkeys(requests, math.inf)

    def worst_after_another_window() -> float:
        for name, latency in measure(requests, MEASURED_S).items():
            best_ms[name] = min(best_ms[name], latency.p99_ms)
        return max(best_ms[name] / usual_ms[name] for name in requests)

    with attacking(plan, count, connect):
        measure(requests, SETTLE_S)
        return fastest(worst_after_another_window, within_s=WORSE_MAX, tries_max=8)
