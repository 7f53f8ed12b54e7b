"""The categories that the ledger counts, and their possible outcomes.

The ledger balances per project and category: RECEIVED = STORED + every other outcome + what still waits in the ring.
A producer counts RECEIVED and the refusals in shared memory (they survive its death); the writer books STORED,
DEAD_LETTER, DISCARDED and INTERRUPTED. Codes are stored in shared memory and in SQLite: append, never renumber.
"""

from __future__ import annotations

from enum import IntEnum

NO_PROJECT = 0  # for requests without a known project


class Category(IntEnum):
    """What a line of the ledger counts. Codes are stored as those of outcomes are, at most sixteen of them."""

    EVENT = 0  # errors and crashes
    SESSION = 1  # of release health: its start, end or an update
    TRACE = 2  # of language models: its start or an update
    CLIENT_REPORT = 3  # what a client says it dropped itself

    @property
    def label(self) -> str:
        return self.name.lower()


class Outcome(IntEnum):
    """One line of the ledger. `label` is the word in the API, the metrics and the dashboard."""

    RECEIVED = 1  # a record reached a worker; every record has this and one other outcome
    STORED = 2  # committed to the database
    RING_FULL = 3  # no space in the lane; the client got "dropped"
    RATE_LIMITED = 4  # this client address spent its tokens
    INVALID = 5  # not JSON, or breaks the event contract
    BAD_SIGNATURE = 6  # no signature, or one that does not verify
    UNKNOWN_KEY = 7  # a key that no project has
    TOO_LARGE = 8  # past a size limit, before or after inflating
    DUPLICATE = 9  # the same record twice (client retry with an idempotency key)
    FILTERED = 10  # refused by an inbound filter of the project
    INTERRUPTED = 11  # its worker was killed before it was in the ring, or the machine stopped before it was stored
    DEAD_LETTER = 12  # in the ring but not storable; kept in dead_letters with the reason
    DISCARDED = 13  # its project was deleted while it waited
    OVER_LIMIT = 14  # its project has spent the bytes of the day; the client got "dropped"

    @property
    def label(self) -> str:
        return self.name.lower()


REFUSALS = tuple(o for o in Outcome if o not in (Outcome.RECEIVED, Outcome.STORED))
