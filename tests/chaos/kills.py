"""Who is killed or stopped, and how: the one place that does it, for the kill test and for `make chaos`."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from tests.acceptance.harness import BloopServer, until

RECOVERS_WITHIN_S = 60.0
KINDS = {
    "ingest-worker": 4,
    "writer": 3,
    "ingest": 2,
    "dashboard-worker": 1,
    "dashboard": 1,
    "alerts": 1,
    "retention": 1,
    "supervisor": 2,
}  # how often each, relatively
SPILLING = {"ingest-worker": 4, "writer": 4, "ingest": 1, "supervisor": 1}  # who has to do with the spill


def kill_something(
    server: BloopServer,
    rng: random.Random,
    kinds: Mapping[str, int] = KINDS,
    *,
    after_pause: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> str:
    """One SIGKILL at a random moment; mostly after things have calmed down, sometimes right into the recovery."""
    if after_pause:
        if rng.random() < 0.7:
            until(lambda: answers(server), "ingest to answer", RECOVERS_WITHIN_S)
        pause(rng.random() * 0.4)
    kind, pid = until(lambda: victim(server, rng, kinds), "somebody to kill", RECOVERS_WITHIN_S)
    say(f"{kind}[{pid}]")
    return kind if kill(server, kind, pid) else "already dead"


def kill(server: BloopServer, kind: str, pid: int) -> bool:
    """SIGKILL; a supervisor is started again, as whoever looks after it would. False: it had died just now."""
    if kind == "supervisor":
        server.kill_supervisor()
        server.start(wait=False)
        return True
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # died of an earlier kill just now
        return False
    return True


def victim(server: BloopServer, rng: random.Random, kinds: Mapping[str, int]) -> tuple[str, int] | None:
    alive = {kind: pids for kind in kinds if (pids := server.pids(kind))}
    if not alive:
        return None
    (kind,) = rng.choices(list(alive), [kinds[kind] for kind in alive])
    return kind, rng.choice(alive[kind])


@contextlib.contextmanager
def standing_still(pids: Iterable[int]) -> Iterator[None]:
    """These processes do nothing meanwhile; those that were killed in between are none of our business."""
    stopped = list(pids)
    signal_all(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        signal_all(stopped, signal.SIGCONT)


def signal_all(pids: Iterable[int], signum: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def pause(seconds: float) -> None:
    over_at = time.monotonic() + seconds
    until(lambda: time.monotonic() >= over_at, "time to pass", seconds + RECOVERS_WITHIN_S)


def answers(server: BloopServer) -> bool:
    return server.status("OPTIONS", "/v1/ingest") == 204


def is_ready(server: BloopServer) -> bool:
    return server.status("GET", "/ready") == 200
