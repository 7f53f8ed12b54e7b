"""What clients were told, against what is stored and what the ledger says. Pure.

answered accepted, stored once              ACCEPTABLE  the promise
no answer, stored once                      ACCEPTABLE  killed between the push and the answer
no answer, not stored                       ACCEPTABLE  killed before the push
answered accepted, not stored               FORBIDDEN   a lie to the client; unless its bytes were damaged in the ring
stored twice                                FORBIDDEN   replayed after a crash
stored, never sent                          FORBIDDEN   bytes of an earlier lap taken for a record
received ≠ stored + refused + interrupted   FORBIDDEN   something vanished silently
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bloop.base.outcomes import REFUSALS, Outcome
from tests.acceptance.load import Told

SHOWN_MAX = 5


@dataclass
class Account:
    """Everything clients were told since the beginning. Every id sent is in one of the sets."""

    accepted: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def add(self, told: Iterable[Told]) -> None:
        for one in told:
            self.accepted.update(one.accepted)
            self.unanswered.update(one.unanswered)
            self.dropped.update(one.dropped)
            self.refused += one.refused

    def breaches(self, stored: list[str], damaged: frozenset[str] = frozenset()) -> list[str]:
        """Every promise that is broken, in words; `damaged` are ids whose bytes somebody destroyed in the ring."""
        there, twice = set(stored), [one for one, count in Counter(stored).items() if count > 1]
        found = {
            "refused": self.refused,
            "stored twice": twice,
            "accepted and not stored": self.accepted - there - damaged,
            "stored, and never sent or refused": there - self.accepted - self.unanswered,
            "stored, with damaged bytes": there & damaged,
        }
        return [f"{len(ids)} {what}: {some(ids)}" for what, ids in found.items() if ids]


def imbalances(ledger: Mapping[tuple[int, int], int], *, stored: int) -> list[str]:
    """Received is what became of it, project by project; and the database holds what the ledger says it holds."""
    found = []
    for project in sorted({project for project, _ in ledger}):
        by_outcome = {outcome: count for (owner, outcome), count in ledger.items() if owner == project}
        accounted = sum(by_outcome.get(outcome, 0) for outcome in (Outcome.STORED, *REFUSALS))
        if by_outcome.get(Outcome.RECEIVED, 0) != accounted:
            found.append(f"project {project} does not balance: {named(by_outcome)}")
    booked = sum(count for (_, outcome), count in ledger.items() if outcome == Outcome.STORED)
    if booked != stored:
        found.append(f"the ledger says {booked} are stored, there are {stored}")
    if dead := sum(count for (_, outcome), count in ledger.items() if outcome == Outcome.DEAD_LETTER):
        found.append(f"{dead} dead letters")
    return found


def named(by_outcome: Mapping[int, int]) -> str:
    return ", ".join(f"{Outcome(outcome).label} {count}" for outcome, count in sorted(by_outcome.items()))


def some(ids: Iterable[str]) -> list[str]:
    """Enough of them to look into."""
    return sorted(ids)[:SHOWN_MAX]
