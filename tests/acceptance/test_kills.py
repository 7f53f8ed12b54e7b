"""Exactly once, whichever process is killed. `BLOOP_TEST_KILLS` sets the kills (make kill-test KILLS=1000); default 60.

tests/chaos/accounts.py lists the acceptable and the forbidden outcomes; `make chaos` tries other faults besides kills.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from bloop.ring import spill
from tests.acceptance.harness import BloopServer
from tests.acceptance.load import BurstClient, Client
from tests.chaos.accounts import Account, imbalances
from tests.chaos.kills import (
    RECOVERS_WITHIN_S,
    SPILLING,
    accepts_requests,
    is_ready,
    kill_random_process,
    pause,
    stopped_processes,
)
from tests.waiting import until

KILLS = int(os.environ.get("BLOOP_TEST_KILLS", "60"))
BURST_KILLS = max(10, KILLS // 5)
SEED = int(os.environ.get("BLOOP_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
CLIENTS = 3

pytestmark = pytest.mark.faults


def test_every_accepted_event_is_stored_exactly_once_despite_kills(make_server: Callable[..., BloopServer]):
    rng = random.Random(SEED)
    server = make_server().start()
    clients = start_all(Client(server, f"c{number}") for number in range(CLIENTS))

    killed = Counter(kill_random_process(server, rng, report=report_some(number)) for number in range(KILLS))

    assert_nothing_is_lost_or_doubled(server, clients, killed)


def test_bursts_that_spill_are_stored_exactly_once_despite_kills(make_server: Callable[..., BloopServer]):
    """Lanes of 256 KiB, and a writer that is stopped before every kill: by then, events are on the disk."""
    rng = random.Random(SEED)
    server = make_server(BLOOP__INGEST__CHANNEL_CAPACITY="512").start()
    clients = start_all(BurstClient(server, f"b{number}") for number in range(CLIENTS))
    killed: Counter[str] = Counter()

    for number in range(BURST_KILLS):
        with stopped_processes(server.pids("writer")):
            pause(rng.uniform(0.2, 0.6))
            if rng.random() < 0.5:  # while lanes are fullest; the other kills while the writer catches up
                killed[kill_random_process(server, rng, SPILLING, after_pause=False, report=report_some(number))] += 1
                continue
        killed[kill_random_process(server, rng, SPILLING, report=report_some(number))] += 1

    until(lambda: is_ready(server), "bloop to recover from the last kill", RECOVERS_WITHIN_S)
    spilled = sum(lane["spilled"] for lane in server.ring_stat()["lanes"])
    assert_nothing_is_lost_or_doubled(server, clients, killed)
    assert spilled > 10 * BURST_KILLS, "too little spilled to mean anything"
    assert [file for file in spill.files(server.settings.spill_folder) if file.path.stat().st_size] == []


def start_all(clients: Iterable[Client]) -> list[Client]:
    threads = list(clients)
    for client in threads:
        client.start()
    return threads


def assert_nothing_is_lost_or_doubled(server: BloopServer, clients: list[Client], killed: Counter[str]) -> None:
    """Let it recover, stop everything, and compare the answers with the stored events."""
    until(lambda: accepts_requests(server), "bloop to recover from the last kill", RECOVERS_WITHIN_S)
    account = Account()
    account.add(client.stop() for client in clients)
    until(lambda: is_ready(server), "bloop to be ready again", RECOVERS_WITHIN_S)
    assert server.stop() == 0

    stored = server.stored_ids()
    kills, caught = killed.total(), len(account.unanswered & set(stored))
    say(f"seed {SEED}, {kills} kills: {dict(killed)}")
    say(
        f"{len(account.accepted)} accepted, {len(account.unanswered)} not answered and {caught} of those stored, "
        f"{len(account.dropped)} dropped"
    )
    refusals = [line for client in clients for line in client.refusals]
    assert not refusals, f"seed {SEED}: {refusals[:5]}"
    assert len(account.accepted) > kills, "too little load to mean anything"
    assert account.breaches(stored) == [], f"seed {SEED}"
    assert imbalances(server.ledger(), stored=len(stored)) == [], f"seed {SEED}"
    assert server.leftovers() == []


def report_some(number: int) -> Callable[[str], None]:
    """Print every tenth kill."""
    is_printed = number % max(1, KILLS // 10) == 0
    return lambda process: say(f"kill {number + 1}: {process}") if is_printed else None


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
