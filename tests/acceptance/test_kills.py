"""Exactly once, whatever is killed. `BLOOP_TEST_KILLS` sets how often (make kill-test KILLS=1000), 60 by default.

answered accepted, stored once              ACCEPTABLE  the promise
no answer, stored once                      ACCEPTABLE  killed between the push and the answer
no answer, not stored                       ACCEPTABLE  killed before the push
answered accepted, not stored               FORBIDDEN   a lie to the client
stored twice                                FORBIDDEN   replayed after a crash
stored, never sent                          FORBIDDEN   bytes of an earlier lap taken for a record
received ≠ stored + refused + interrupted   FORBIDDEN   something vanished silently
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest

from bloop.outcomes import REFUSALS, Outcome
from bloop.ring import spill
from tests.acceptance.harness import BloopServer, until
from tests.acceptance.load import BurstClient, Client

KILLS = int(os.environ.get("BLOOP_TEST_KILLS", "60"))
BURST_KILLS = max(10, KILLS // 5)
SEED = int(os.environ.get("BLOOP_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
CLIENTS = 3
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

pytestmark = pytest.mark.faults


def test_every_accepted_event_is_stored_exactly_once_whatever_is_killed(make_server: Callable[..., BloopServer]):
    rng = random.Random(SEED)
    server = make_server().start()
    clients = started(Client(server, f"c{number}") for number in range(CLIENTS))

    killed = Counter(kill_something(server, rng, number) for number in range(KILLS))

    assert_nothing_is_lost_or_doubled(server, clients, killed)


def test_bursts_that_spill_are_stored_exactly_once_whatever_is_killed(make_server: Callable[..., BloopServer]):
    """Lanes of 256 KiB, and a writer that stands still before every kill: what comes in is on the disk by then."""
    rng = random.Random(SEED)
    server = make_server(BLOOP__INGEST__CHANNEL_CAPACITY="256").start()
    clients = started(BurstClient(server, f"b{number}") for number in range(CLIENTS))
    killed: Counter[str] = Counter()

    for number in range(BURST_KILLS):
        with standing_still(server, rng.uniform(0.2, 0.6)):
            if rng.random() < 0.5:  # at the fullest, and the others while the writer catches up
                killed[kill_something(server, rng, number, SPILLING, after_pause=False)] += 1
                continue
        killed[kill_something(server, rng, number, SPILLING)] += 1

    until(lambda: is_ready(server), "bloop to recover from the last kill", within_s=60)
    spilled = sum(lane["spilled"] for lane in server.ring_stat()["lanes"])
    assert_nothing_is_lost_or_doubled(server, clients, killed)
    assert spilled > 10 * BURST_KILLS, "too little spilled to mean anything"
    assert [file for file in spill.files(server.settings.spill_folder) if file.path.stat().st_size] == []


def started(clients: Iterable[Client]) -> list[Client]:
    listed = list(clients)
    for client in listed:
        client.start()
    return listed


@contextlib.contextmanager
def standing_still(server: BloopServer, seconds: float) -> Iterator[None]:
    """The writer does nothing for a while; whatever was killed meanwhile, no writer stays like that."""
    pids = server.pids("writer")
    signal_all(pids, signal.SIGSTOP)
    try:
        over_at = time.monotonic() + seconds
        until(lambda: time.monotonic() >= over_at, "a burst")
        yield
    finally:
        signal_all(pids, signal.SIGCONT)


def signal_all(pids: Iterable[int], signum: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def assert_nothing_is_lost_or_doubled(server: BloopServer, clients: list[Client], killed: Counter[str]) -> None:
    """Let it recover, stop everything, and compare what clients were told with what is stored."""
    until(lambda: answers(server), "bloop to recover from the last kill", within_s=60)
    told = [client.stop() for client in clients]
    until(lambda: is_ready(server), "bloop to be ready again", within_s=60)
    assert server.stop() == 0

    refusals = [line for client in clients for line in client.refusals]
    assert not refusals, f"seed {SEED}: {refusals[:5]}"
    accepted, unanswered, dropped = (
        {one for t in told for one in getattr(t, name)} for name in ("accepted", "unanswered", "dropped")
    )
    stored = server.stored_ids()
    kills = killed.total()
    say(f"seed {SEED}, {kills} kills: {dict(killed)}")
    caught = len(unanswered & set(stored))
    say(
        f"{len(accepted)} accepted, {len(unanswered)} not answered and {caught} of those stored, {len(dropped)} dropped"
    )
    assert len(accepted) > kills, "too little load to mean anything"
    assert not some(one for one, count in Counter(stored).items() if count > 1), f"stored twice, seed {SEED}"
    assert not some(accepted - set(stored)), f"accepted and not stored, seed {SEED}"
    assert not some(set(stored) - accepted - unanswered), f"stored and never sent or refused, seed {SEED}"
    assert_ledger_balances(server, stored=len(stored))
    assert server.leftovers() == []


def kill_something(
    server: BloopServer, rng: random.Random, number: int, kinds: Mapping[str, int] = KINDS, *, after_pause: bool = True
) -> str:
    """One SIGKILL at a random moment; mostly after things have calmed down, sometimes right into the recovery."""
    if after_pause:
        if rng.random() < 0.7:
            until(lambda: answers(server), "ingest to answer", within_s=60)
        pause_until = time.monotonic() + rng.random() * 0.4
        until(lambda: time.monotonic() >= pause_until, "a moment")
    kind, pid = until(lambda: victim(server, rng, kinds), "somebody to kill", within_s=60)
    if number % max(1, KILLS // 10) == 0:
        say(f"kill {number + 1}: {kind}[{pid}]")
    if kind == "supervisor":
        server.kill_supervisor()
        server.start(wait=False)
    else:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # died of an earlier kill just now
            return "already dead"
    return kind


def victim(server: BloopServer, rng: random.Random, kinds: Mapping[str, int]) -> tuple[str, int] | None:
    alive = {kind: pids for kind in kinds if (pids := server.pids(kind))}
    if not alive:
        return None
    (kind,) = rng.choices(list(alive), [kinds[kind] for kind in alive])
    return kind, rng.choice(alive[kind])


def answers(server: BloopServer) -> bool:
    return server.status("OPTIONS", "/v1/ingest") == 204


def is_ready(server: BloopServer) -> bool:
    return server.status("GET", "/ready") == 200


def assert_ledger_balances(server: BloopServer, *, stored: int) -> None:
    """Received is what became of it, project by project; and the database holds what the ledger says it holds."""
    ledger = server.ledger()
    for project in {project for project, _ in ledger}:
        by_outcome = {outcome: count for (owner, outcome), count in ledger.items() if owner == project}
        accounted = by_outcome.get(Outcome.STORED, 0) + sum(by_outcome.get(outcome, 0) for outcome in REFUSALS)
        assert by_outcome.get(Outcome.RECEIVED, 0) == accounted, f"project {project}: {by_outcome}, seed {SEED}"
    assert sum(count for (_, outcome), count in ledger.items() if outcome == Outcome.STORED) == stored
    assert sum(count for (_, outcome), count in ledger.items() if outcome == Outcome.DEAD_LETTER) == 0


def some(ids: Iterable[str]) -> list[str]:
    """Enough of them to look into."""
    return sorted(ids)[:10]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
