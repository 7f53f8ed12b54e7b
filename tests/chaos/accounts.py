"""Compares the answers to clients with the stored events and the ledger. Pure.

answered accepted, stored once              ACCEPTABLE  the promise
no answer, stored once                      ACCEPTABLE  killed between the push and the answer
no answer, not stored                       ACCEPTABLE  killed before the push
answered accepted, not stored               FORBIDDEN   a wrong answer, unless its bytes were damaged in the ring
stored twice                                FORBIDDEN   replayed after a crash
stored, never sent                          FORBIDDEN   bytes of an earlier lap taken for a record
received ≠ stored + refused + interrupted   FORBIDDEN   an event was lost silently
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bloop.base.outcomes import REFUSALS, Outcome
from tests.acceptance.load import Answers

SHOWN_MAX = 5


@dataclass
class Account:
    """All answers since the beginning. Every id sent is in one of the sets."""

    accepted: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def add(self, clients: Iterable[Answers]) -> None:
        for answers in clients:
            self.accepted.update(answers.accepted)
            self.unanswered.update(answers.unanswered)
            self.dropped.update(answers.dropped)
            self.refused += answers.refused

    def breaches(self, stored: list[str], damaged: frozenset[str] = frozenset()) -> list[str]:
        """A line for every broken promise; `damaged` are ids whose bytes were destroyed in the ring."""
        stored_ids, twice = set(stored), [event_id for event_id, count in Counter(stored).items() if count > 1]
        breaches = {
            "refused": self.refused,
            "stored twice": twice,
            "accepted and not stored": self.accepted - stored_ids - damaged,
            "stored, and never sent or refused": stored_ids - self.accepted - self.unanswered,
            "stored, with damaged bytes": stored_ids & damaged,
        }
        return [f"{len(ids)} {breach}: {first_of(ids)}" for breach, ids in breaches.items() if ids]


def imbalances(ledger: Mapping[tuple[int, int], int], *, stored: int) -> list[str]:
    """Problems of the ledger: received must equal all outcomes per project, and stored the rows in the database."""
    problems = []
    for project in sorted({project for project, _ in ledger}):
        by_outcome = {outcome: count for (owner, outcome), count in ledger.items() if owner == project}
        accounted = sum(by_outcome.get(outcome, 0) for outcome in (Outcome.STORED, *REFUSALS))
        if by_outcome.get(Outcome.RECEIVED, 0) != accounted:
            problems.append(f"project {project} does not balance: {describe_outcomes(by_outcome)}")
    booked = sum(count for (_, outcome), count in ledger.items() if outcome == Outcome.STORED)
    if booked != stored:
        problems.append(f"the ledger says {booked} are stored, there are {stored}")
    if dead := sum(count for (_, outcome), count in ledger.items() if outcome == Outcome.DEAD_LETTER):
        problems.append(f"{dead} dead letters")
    return problems


def describe_outcomes(by_outcome: Mapping[int, int]) -> str:
    return ", ".join(f"{Outcome(outcome).label} {count}" for outcome, count in sorted(by_outcome.items()))


def first_of(ids: Iterable[str]) -> list[str]:
    """The first few, for a message."""
    return sorted(ids)[:SHOWN_MAX]
