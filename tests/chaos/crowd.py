"""Clients that cost a connection and send nothing useful: idle ones, ones that stop half way, ones that drip."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from collections.abc import Iterator

DRIP_EVERY_S = 0.05
HEAD = b"POST /v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 400\r\n"
HALF_HEAD = HEAD[:60]
HALF_BODY = HEAD + b'X-Signature: 00\r\n\r\n{"timestamp":'
DESCRIPTORS_SPARE = 256


@contextlib.contextmanager
def connected(port: int, count: int, say: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connections that said `say` and are still open; fewer where this process may not open that many."""
    clients: list[socket.socket] = []
    with _descriptors(count):
        try:
            for _ in range(count):
                client = socket.create_connection(("127.0.0.1", port), timeout=10)
                clients.append(client)
                if say:
                    client.sendall(say)
            yield clients
        finally:
            for client in clients:
                client.close()


@contextlib.contextmanager
def dripping(port: int, count: int) -> Iterator[None]:
    """Connections that send their request a byte at a time, all of them for as long as this lasts."""
    over = threading.Event()
    with connected(port, count, HEAD[:8]) as clients:
        thread = threading.Thread(target=_drip, args=(clients, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _drip(clients: list[socket.socket], over: threading.Event) -> None:
    position = 8
    while not over.wait(DRIP_EVERY_S) and position < len(HEAD):
        for client in clients:
            with contextlib.suppress(OSError):  # the server has had enough of it
                client.send(HEAD[position : position + 1])
        position += 1


@contextlib.contextmanager
def _descriptors(count: int) -> Iterator[None]:
    """Room for that many, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + DESCRIPTORS_SPARE
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
