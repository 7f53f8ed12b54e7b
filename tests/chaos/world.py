"""A bloop for faults: on a small disk, with a clock that can jump and a receiver of alerts that can fail."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.harness import BloopServer
from tests.chaos import skew
from tests.chaos.disk import FREE_BYTES_MIN, small_disk
from tests.receivers import OK, Behave, Receiver


@dataclass
class World:
    """The objects that faults act on, and their traces for the accounts."""

    server: BloopServer
    rng: random.Random
    hold_s: float  # how long a fault lasts
    crowd: int  # idle connections
    clock_file: Path
    receiver: Receiver
    receiver_is_up: threading.Event
    damaged: set[str] = field(default_factory=set)  # ids whose bytes were destroyed in the ring
    killed: set[tuple[str, int]] = field(default_factory=set)  # kind and pid of processes that have to be replaced


@contextlib.contextmanager
def open_world(folder: Path, rng: random.Random, hold_s: float, crowd: int) -> Iterator[World]:
    """A running bloop; nothing of it is left afterwards."""
    folder.mkdir(parents=True)
    clock_file = folder / "clock"
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(small_disk(folder / "disk"))
        is_up = threading.Event()
        is_up.set()
        receiver = Receiver(_answering(is_up))
        cleanup.callback(receiver.close)
        server = BloopServer(
            folder / "server",
            BLOOP__DATABASE__PATH=str(folder / "disk" / "bloop.db"),
            BLOOP__DATABASE__DISK_FREE_BYTES_MIN=str(FREE_BYTES_MIN),
            BLOOP__ALERTING__WEBHOOK_URL=receiver.url(),
            BLOOP__ALERTING__ALLOW_PRIVATE="true",
        )
        server.database_path = folder / "disk" / "bloop.db"
        server.command = skew.command(clock_file)
        cleanup.callback(server.remove_traces)
        server.start()
        yield World(server, rng, hold_s, crowd, clock_file, receiver, is_up)


def _answering(is_up: threading.Event) -> Behave:
    """200, or a closed connection while it is down."""

    def answer(_: Receiver, sock: socket.socket) -> None:
        if is_up.is_set():
            sock.sendall(OK)

    return answer
