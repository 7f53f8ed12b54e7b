"""Clients that hold a connection and send no event: idle ones, ones that stop half way, slow ones."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from collections.abc import Iterator
from itertools import cycle

BYTE_EVERY_S = 0.05
HEAD = b"POST /v1/ingest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 400\r\n"
HALF_HEAD = HEAD[:60]
HALF_BODY = HEAD + b'X-Signature: 00\r\n\r\n{"timestamp":'
DESCRIPTORS_SPARE = 256
ADDRESSES = tuple(f"127.0.1.{host}" for host in range(1, 51))  # not the senders': one address has a bound


@contextlib.contextmanager
def connected(port: int, count: int, first_bytes: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open connections from ADDRESSES in turn that sent `first_bytes`; fewer if this process may not open that many."""
    clients: list[socket.socket] = []
    with _descriptors(count):
        try:
            for _, address in zip(range(count), cycle(ADDRESSES)):
                client = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0))
                clients.append(client)
                if first_bytes:
                    client.sendall(first_bytes)
            yield clients
        finally:
            for client in clients:
                client.close()


@contextlib.contextmanager
def send_slowly(port: int, count: int) -> Iterator[None]:
    """Connections that send their request one byte at a time until the block ends."""
    over = threading.Event()
    with connected(port, count, HEAD[:8]) as clients:
        thread = threading.Thread(target=_send_bytes, args=(clients, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _send_bytes(clients: list[socket.socket], over: threading.Event) -> None:
    position = 8
    while not over.wait(BYTE_EVERY_S) and position < len(HEAD):
        for client in clients:
            with contextlib.suppress(OSError):  # the server closed it
                client.send(HEAD[position : position + 1])
        position += 1


@contextlib.contextmanager
def _descriptors(count: int) -> Iterator[None]:
    """Allow that many descriptors, as far as the hard limit permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count + DESCRIPTORS_SPARE
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(needed, hard)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
