"""Sends bytes to a bloop and waits until it has ended the connection."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.hostile.raw import RawRequest

HANG_S = 20.0  # nothing takes longer: a head has 10 s, a query 5 s, and the sender has said that it is done
ANSWER_BYTES_MAX = 32 * 1024 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")

Connect = Callable[[], socket.socket]


class Outcome(NamedTuple):
    """`statuses` of all answers; none where the connection was closed without one. `hung`: it was not closed."""

    statuses: tuple[int, ...]
    hung: bool
    seconds: float


def exchange(connect: Connect, request: RawRequest) -> Outcome:
    """One connection, from connect to the server's end of it."""
    started = time.monotonic()
    answer = bytearray()
    hung = False
    with connect() as client:
        client.settimeout(HANG_S)
        try:
            _send(client, request)
            while len(answer) < ANSWER_BYTES_MAX and (data := client.recv(256 * 1024)):
                answer += data
                if time.monotonic() - started > 2 * HANG_S:
                    raise TimeoutError
        except TimeoutError:
            hung = True
        except ConnectionError:  # refused in the middle: whoever sends garbage may get a reset
            pass
    statuses = tuple(int(status) for status in _STATUS.findall(answer))
    return Outcome(statuses, hung, time.monotonic() - started)


def _send(client: socket.socket, request: RawRequest) -> None:
    """All bytes, in several segments where asked, then the end of our side (RAW-3)."""
    if client.family == socket.AF_INET:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else the kernel joins the segments again
    start = 0
    try:
        for cut in (*request.cuts, len(request.wire)):
            client.sendall(request.wire[start:cut])
            start = cut
        client.shutdown(socket.SHUT_WR)
    except TimeoutError:
        raise
    except OSError:  # refused meanwhile: its answer can still be read
        pass
