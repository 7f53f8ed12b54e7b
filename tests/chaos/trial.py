"""One bloop under load, and what is done to it step by step. After each step it has to recover, and nothing is lost.

T1  Recovered is: every process that was killed has a successor, /ready says 200, and an event that was sent after the
    last fault was lifted is answered and can be read. The time until then is the recovery time.
T2  After each step: every id that was answered `accepted` is stored, once, and nothing else is. Clients keep sending
    while faults last; they pause for this look only.
T3  At the end, after a clean stop, the ledger balances and nothing is left: no process, shared memory, socket, file.
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
from tests.chaos.world import World, world
from tests.stored import stored_events

CLIENTS = 3
EVENTS_FIRST = 30  # accepted before anything is done to it
Step = tuple[Fault, ...]


@dataclass(frozen=True)
class Pace:
    """How long faults last, and how many idle connections there are."""

    hold_s: float = 3.0
    crowd: int = 5_000


SHORT = Pace(hold_s=0.5, crowd=1_000)


@dataclass
class Finding:
    """What came of one step; `breaches` is empty when it passed."""

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


class Steady(Client):
    """Some load on every lane, on two cores beside everything else."""

    per_second = 60.0


@dataclass
class Trial:
    """A run of steps in one bloop."""

    steps: Sequence[Step]
    seed: int
    pace: Pace

    def run(self, folder: Path) -> Iterator[Finding]:
        """A finding for each step as it is over, and one of the end. A step that does not recover ends the trial."""
        with world(folder, random.Random(self.seed), self.pace.hold_s, self.pace.crowd) as made:
            account = Account()
            for number, step in enumerate(self.steps):
                finding = Finding(" + ".join(fault.name for fault in step))
                _take(made, account, step, number, finding)
                yield finding
                if finding.recovered_s is None:
                    return
            finding = Finding("stop")
            _end(made, account, finding)
            yield finding


def _take(made: World, account: Account, step: Step, number: int, finding: Finding) -> None:
    """Load, faults, recovery, account (T1, T2)."""
    damaged_before, before = len(made.damaged), (len(account.accepted), len(account.unanswered), len(account.dropped))
    clients = [Steady(made.server, f"s{number}c{client}") for client in range(CLIENTS)]
    for client in clients:
        client.start()
    canaries = Canaries(made.server, f"s{number}")
    try:
        until(lambda: sum(len(c.told.accepted) for c in clients) >= EVENTS_FIRST, "some load", RECOVERS_WITHIN_S)
        _inject(made, step)
        lifted_at = time.monotonic()
        until(lambda: _recovered(made, canaries), "recovery", RECOVERS_WITHIN_S)
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
    finding.damaged = len(made.damaged) - damaged_before
    damaged = frozenset(made.damaged)
    with contextlib.suppress(AssertionError):  # what is missing then is said in the account
        until(lambda: account.accepted - damaged <= set(made.server.stored_ids()), "the rest", RECOVERS_WITHIN_S)
    finding.breaches += account.breaches(made.server.stored_ids(), damaged)


def _inject(made: World, step: Step) -> None:
    with contextlib.ExitStack() as lifted:
        for fault in step:
            lifted.enter_context(fault.inject(made))
        if any(fault.is_held for fault in step):
            pause(made.hold_s)


@dataclass
class Canaries:
    """Events sent one at a time to see whether one gets through."""

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

    def sing(self) -> bool:
        """Whether one is through; sends another while none was accepted."""
        if self.accepted:
            with self.server.reader() as db:
                return [event.request_id for event in stored_events(db, self._after_id)].count(*self.accepted) == 1
        one = f"{self.prefix}-canary-{self._sent}"
        self._sent += 1
        try:
            answer = self.server.send(event(one))
        except (OSError, http.client.HTTPException):
            self.unanswered.add(one)
        else:
            if answer.status == 200 and answer.json == {"status": "accepted"}:
                self.accepted.add(one)
        return False


def _recovered(made: World, canaries: Canaries) -> bool:
    """T1."""
    made.killed = {(kind, pid) for kind, pid in made.killed if not set(made.server.pids(kind)) - {pid}}
    return not made.killed and is_ready(made.server) and canaries.sing()


def _end(made: World, account: Account, finding: Finding) -> None:
    """T3."""
    server, damaged = made.server, frozenset(made.damaged)
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
        if (said := db.execute("PRAGMA integrity_check").get) != "ok":
            finding.breaches.append(f"the database is damaged: {said}")
    finding.breaches += imbalances(server.ledger(), stored=events)
    finding.breaches += [f"left behind: {one}" for one in server.leftovers()]
    spilled = [str(file.path) for file in spill.files(server.settings.spill_folder) if file.path.stat().st_size]
    finding.breaches += [f"left behind: {one}" for one in spilled]
