"""Injects faults into one bloop under load, step by step. After each step it has to recover, and no event is lost.

TRIAL-1  bloop has recovered when every killed process has a successor, /ready answers 200, and an event that was sent
    after the last fault was lifted is answered and can be read. The time until then is the recovery time.
TRIAL-2  After each step, every id that was answered `accepted` is stored once, and no other id is. Clients keep sending
    while faults last; they pause for this check only.
TRIAL-3  After a clean stop at the end, the ledger balances and nothing is left: process, shared memory, socket, file.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bloop.ring import spill
from tests.acceptance.harness import BloopServer, event, until
from tests.acceptance.load import Client
from tests.chaos.accounts import Account, imbalances
from tests.chaos.faults import Fault
from tests.chaos.kills import RECOVERS_WITHIN_S, is_ready, pause
from tests.chaos.world import World, open_world
from tests.stored import stored_events

CLIENTS = 3
EVENTS_FIRST = 30  # accepted before the first fault
Step = tuple[Fault, ...]


@dataclass(frozen=True)
class Pace:
    """How long faults last, and how many idle connections there are."""

    hold_s: float = 3.0
    crowd: int = 5_000


SHORT = Pace(hold_s=0.5, crowd=1_000)


@dataclass
class Finding:
    """The result of one step; `breaches` is empty when it passed."""

    faults: str
    recovered_s: float | None = None
    accepted: int = 0
    unanswered: int = 0
    dropped: int = 0
    damaged: int = 0
    breaches: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.breaches


class SteadyClient(Client):
    """Some load on every lane, little enough for two cores."""

    per_second = 60.0


@dataclass
class Trial:
    """A run of steps in one bloop."""

    steps: Sequence[Step]
    seed: int
    pace: Pace

    def run(self, folder: Path) -> Iterator[Finding]:
        """Yield a finding after each step, and one for the end. A step that does not recover ends the trial."""
        with open_world(folder, random.Random(self.seed), self.pace.hold_s, self.pace.crowd) as world:
            account = Account()
            for number, step in enumerate(self.steps):
                finding = Finding(" + ".join(fault.name for fault in step))
                _run_step(world, account, step, number, finding)
                yield finding
                if finding.recovered_s is None:
                    return
            finding = Finding("stop")
            _stop(world, account, finding)
            yield finding


def _run_step(world: World, account: Account, step: Step, number: int, finding: Finding) -> None:
    """Load, faults, recovery, account (TRIAL-1, TRIAL-2)."""
    damaged_before, before = len(world.damaged), (len(account.accepted), len(account.unanswered), len(account.dropped))
    clients = [SteadyClient(world.server, f"s{number}c{client}") for client in range(CLIENTS)]
    for client in clients:
        client.start()
    canaries = Canaries(world.server, f"s{number}")
    try:
        until(lambda: sum(len(c.answers.accepted) for c in clients) >= EVENTS_FIRST, "some load", RECOVERS_WITHIN_S)
        _inject(world, step)
        lifted_at = time.monotonic()
        until(lambda: _has_recovered(world, canaries), "recovery", RECOVERS_WITHIN_S)
        finding.recovered_s = time.monotonic() - lifted_at
    except AssertionError as error:
        finding.breaches.append(str(error))
    finally:
        account.add(client.stop() for client in clients)
    finding.breaches += [line for client in clients for line in client.refusals[:1]]
    account.accepted |= canaries.accepted
    account.unanswered |= canaries.unanswered
    after = (len(account.accepted), len(account.unanswered), len(account.dropped))
    finding.accepted, finding.unanswered, finding.dropped = (b - a for a, b in zip(before, after, strict=True))
    finding.damaged = len(world.damaged) - damaged_before
    damaged = frozenset(world.damaged)
    with contextlib.suppress(AssertionError):  # the account reports what is still missing
        until(lambda: account.accepted - damaged <= set(world.server.stored_ids()), "the rest", RECOVERS_WITHIN_S)
    finding.breaches += account.breaches(world.server.stored_ids(), damaged)


def _inject(world: World, step: Step) -> None:
    with contextlib.ExitStack() as lifted:
        for fault in step:
            lifted.enter_context(fault.inject(world))
        if any(fault.is_held for fault in step):
            pause(world.hold_s)


@dataclass
class Canaries:
    """Events sent one at a time until one is stored."""

    server: BloopServer
    prefix: str
    accepted: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    _sent: int = 0

    def __post_init__(self) -> None:
        self._after_id = self._first("SELECT coalesce(max(id), 0) FROM events")

    def _first(self, query: str, *bindings: object) -> int:
        with self.server.reader() as db:
            return int(db.execute(query, bindings).get)

    def try_once(self) -> bool:
        """Whether one is stored; sends another while none was accepted."""
        if self.accepted:
            with self.server.reader() as db:
                return [event.request_id for event in stored_events(db, self._after_id)].count(*self.accepted) == 1
        event_id = f"{self.prefix}-canary-{self._sent}"
        self._sent += 1
        try:
            answer = self.server.send(event(event_id))
        except (OSError, http.client.HTTPException):
            self.unanswered.add(event_id)
        else:
            if answer.status == 200 and answer.json == {"status": "accepted"}:
                self.accepted.add(event_id)
        return False


def _has_recovered(world: World, canaries: Canaries) -> bool:
    """Whether bloop has recovered (TRIAL-1)."""
    world.killed = {(kind, pid) for kind, pid in world.killed if not set(world.server.pids(kind)) - {pid}}
    return not world.killed and is_ready(world.server) and canaries.try_once()


def _stop(world: World, account: Account, finding: Finding) -> None:
    """Stop, and compare all that is left (TRIAL-3)."""
    server, damaged = world.server, frozenset(world.damaged)
    started = time.monotonic()
    code = server.stop()
    finding.recovered_s = time.monotonic() - started
    stored = server.stored_ids()
    if code:
        finding.breaches.append(f"bloop ended with {code}")
    finding.accepted, finding.unanswered, finding.dropped = map(
        len, (account.accepted, account.unanswered, account.dropped)
    )
    finding.damaged = len(damaged)
    finding.breaches += account.breaches(stored, damaged)
    with server.reader() as db:
        events = int(db.execute("SELECT count(*) FROM events").get)
        if (problems := db.execute("PRAGMA integrity_check").get) != "ok":
            finding.breaches.append(f"the database is damaged: {problems}")
    finding.breaches += imbalances(server.ledger(), stored=events)
    finding.breaches += [f"left behind: {path}" for path in server.leftovers()]
    spilled = [str(file.path) for file in spill.files(server.settings.spill_folder) if file.path.stat().st_size]
    finding.breaches += [f"left behind: {path}" for path in spilled]
