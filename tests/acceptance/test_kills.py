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

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from bloop.outcomes import REFUSALS, Outcome
from tests.acceptance.harness import BloopServer, until
from tests.acceptance.load import Client

KILLS = int(os.environ.get("BLOOP_TEST_KILLS", "60"))
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

pytestmark = pytest.mark.faults


def test_every_accepted_event_is_stored_exactly_once_whatever_is_killed(make_server: Callable[..., BloopServer]):
    rng = random.Random(SEED)
    server = make_server().start()
    clients = [Client(server, f"c{number}") for number in range(CLIENTS)]
    for client in clients:
        client.start()

    killed = Counter(kill_something(server, rng, number) for number in range(KILLS))

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
    say(f"seed {SEED}, {KILLS} kills: {dict(killed)}")
    caught = len(unanswered & set(stored))
    say(
        f"{len(accepted)} accepted, {len(unanswered)} not answered and {caught} of those stored, {len(dropped)} dropped"
    )
    assert len(accepted) > KILLS, "too little load to mean anything"
    assert not some(one for one, count in Counter(stored).items() if count > 1), f"stored twice, seed {SEED}"
    assert not some(accepted - set(stored)), f"accepted and not stored, seed {SEED}"
    assert not some(set(stored) - accepted - unanswered), f"stored and never sent or refused, seed {SEED}"
    assert_ledger_balances(server, stored=len(stored))
    assert server.leftovers() == []


def kill_something(server: BloopServer, rng: random.Random, number: int) -> str:
    """One SIGKILL at a random moment; mostly after things have calmed down, sometimes right into the recovery."""
    if rng.random() < 0.7:
        until(lambda: answers(server), "ingest to answer", within_s=60)
    pause_until = time.monotonic() + rng.random() * 0.4
    until(lambda: time.monotonic() >= pause_until, "a moment")
    kind, pid = until(lambda: victim(server, rng), "somebody to kill", within_s=60)
    if number % max(1, KILLS // 10) == 0:
        say(f"kill {number + 1} of {KILLS}: {kind}[{pid}]")
    if kind == "supervisor":
        server.kill_supervisor()
        server.start(wait=False)
    else:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # died of an earlier kill just now
            return "already dead"
    return kind


def victim(server: BloopServer, rng: random.Random) -> tuple[str, int] | None:
    alive = {kind: pids for kind in KINDS if (pids := server.pids(kind))}
    if not alive:
        return None
    (kind,) = rng.choices(list(alive), [KINDS[kind] for kind in alive])
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
