"""Kills and stops bloop's processes, for the kill test and for `make chaos`."""

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
}  # relative frequencies
SPILLING = {"ingest-worker": 4, "writer": 4, "ingest": 1, "supervisor": 1}  # processes that write or read the spill


def kill_random_process(
    server: BloopServer,
    rng: random.Random,
    kinds: Mapping[str, int] = KINDS,
    *,
    after_pause: bool = True,
    report: Callable[[str], None] = lambda line: None,
) -> str:
    """One SIGKILL at a random moment; mostly after the last recovery, sometimes in the middle of it."""
    if after_pause:
        if rng.random() < 0.7:
            until(lambda: accepts_requests(server), "ingest to answer", RECOVERS_WITHIN_S)
        pause(rng.random() * 0.4)
    kind, pid = until(lambda: choose_victim(server, rng, kinds), "a process to kill", RECOVERS_WITHIN_S)
    report(f"{kind}[{pid}]")
    return kind if kill(server, kind, pid) else "already dead"


def kill(server: BloopServer, kind: str, pid: int) -> bool:
    """SIGKILL; a supervisor is started again, as an operator would. False: it was dead already."""
    if kind == "supervisor":
        server.kill_supervisor()
        server.start(wait=False)
        return True
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # an earlier kill ended it just now
        return False
    return True


def choose_victim(server: BloopServer, rng: random.Random, kinds: Mapping[str, int]) -> tuple[str, int] | None:
    alive = {kind: pids for kind in kinds if (pids := server.pids(kind))}
    if not alive:
        return None
    (kind,) = rng.choices(list(alive), [kinds[kind] for kind in alive])
    return kind, rng.choice(alive[kind])


@contextlib.contextmanager
def stopped_processes(pids: Iterable[int]) -> Iterator[None]:
    """Stop these processes for the length of the block; those killed meanwhile are ignored."""
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


def accepts_requests(server: BloopServer) -> bool:
    return server.status("OPTIONS", "/v1/ingest") == 204


def is_ready(server: BloopServer) -> bool:
    return server.status("GET", "/ready") == 200
