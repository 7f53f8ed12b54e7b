"""Every fault by name. Each is a context manager over a world: entering it injects, leaving it lifts.

A fault raises AssertionError if bloop misbehaves *while* it lasts; lost and doubled events are checked afterwards,
for all faults alike (trial.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.db.connection import open_reader
from tests.acceptance.harness import event, until
from tests.chaos import crowd, damage, disk, skew
from tests.chaos.kills import KINDS, RECOVERS_WITHIN_S, is_ready, kill, pause, stopped_processes
from tests.chaos.world import World

JUMPS_MS = (-26 * HOUR_MS, -HOUR_MS, -MINUTE_MS, MINUTE_MS, HOUR_MS, DAY_MS)
SLOW_CLIENTS = 100
NEW_ISSUES = 3  # each of them is an alert
RETRIES_WITHIN_S = 60.0

Inject = Callable[[World], AbstractContextManager[object]]


@dataclass(frozen=True)
class Fault:
    """`mixes`: it may be combined with others. A fault that is not held is over as soon as it is injected."""

    name: str
    inject: Inject
    mixes: bool = True
    is_held: bool = True


def _kill(kind: str) -> Inject:
    @contextlib.contextmanager
    def inject(world: World) -> Iterator[None]:
        pid = until(lambda: world.server.pids(kind), f"a process to kill: {kind}", RECOVERS_WITHIN_S)[0]
        if kill(world.server, kind, pid):
            world.killed.add((kind, pid))
        yield

    return inject


def _stop(kind: str) -> Inject:
    return lambda world: stopped_processes(world.server.pids(kind))


@contextlib.contextmanager
def _disk_full(world: World) -> Iterator[None]:
    with disk.fill_disk(world.server):
        until(lambda: not is_ready(world.server), "/ready to report the full disk", RECOVERS_WITHIN_S)
        yield


def _database_locked(world: World) -> AbstractContextManager[None]:
    return disk.locked(world.server.database_path)


@contextlib.contextmanager
def _clock_jumps(world: World) -> Iterator[None]:
    """Jump to two other times, then back."""
    try:
        for offset_ms in world.rng.sample(JUMPS_MS, 2):
            skew.jump(world.clock_file, offset_ms)
            pause(world.hold_s / 2)
        yield
    finally:
        skew.jump(world.clock_file, 0)


def _idle(world: World) -> AbstractContextManager[object]:
    return crowd.connected(world.server.port, world.crowd)


@contextlib.contextmanager
def _half_open(world: World) -> Iterator[None]:
    port = world.server.port
    with crowd.connected(port, SLOW_CLIENTS, crowd.HALF_HEAD), crowd.connected(port, SLOW_CLIENTS, crowd.HALF_BODY):
        yield


def _slow(world: World) -> AbstractContextManager[None]:
    return crowd.send_slowly(world.server.port, SLOW_CLIENTS)


def _damaged(where: str) -> Inject:
    @contextlib.contextmanager
    def inject(world: World) -> Iterator[None]:
        world.damaged |= damage.damage(world.server, world.rng, where)
        yield

    return inject


@contextlib.contextmanager
def _sockets_deleted(world: World) -> Iterator[None]:
    """Delete the files of the Unix sockets. As an operator would, restart the dashboard, which makes them again."""
    settings = world.server.settings
    for path in (settings.handoff_path, settings.dashboard_path):
        path.unlink(missing_ok=True)
    try:
        yield
    finally:
        for pid in world.server.pids("dashboard"):
            kill(world.server, "dashboard", pid)
            world.killed.add(("dashboard", pid))


@contextlib.contextmanager
def _receiver_down(world: World) -> Iterator[None]:
    """New issues while the receiver is down, so that alerts wait; all are sent once the receiver is back."""
    token = f"{world.rng.getrandbits(40):x}"
    world.receiver_is_up.clear()
    try:
        for number in range(NEW_ISSUES):
            world.server.send(event(error_type=f"Down{token}{chr(97 + number)}"))
        until(lambda: _deliveries(world, "waiting"), "an alert that waits", RECOVERS_WITHIN_S)
        yield
    finally:
        world.receiver_is_up.set()
    assert not _deliveries(world, "failed"), "an alert was given up"
    until(lambda: not _deliveries(world, "waiting"), "every alert to be sent", RETRIES_WITHIN_S)


def _deliveries(world: World, state: str) -> int:
    with contextlib.closing(open_reader(world.server.database_path)) as db:
        return int(db.execute("SELECT count(*) FROM deliveries WHERE state = ?", (state,)).get)


FAULTS = {
    fault.name: fault
    for fault in (
        *(Fault(f"kill {kind}", _kill(kind), is_held=False) for kind in KINDS),
        *(Fault(f"stop {kind}", _stop(kind)) for kind in KINDS),
        Fault("disk full", _disk_full),
        Fault("database locked", _database_locked),
        Fault("clock jumps", _clock_jumps),
        Fault("idle connections", _idle),
        Fault("half-open connections", _half_open),
        Fault("slow clients", _slow),
        Fault("damaged payload", _damaged(damage.PAYLOAD), mixes=False, is_held=False),
        Fault("damaged size", _damaged(damage.SIZE), mixes=False, is_held=False),
        Fault("sockets deleted", _sockets_deleted),
        Fault("receiver down", _receiver_down, mixes=False),
    )
}
