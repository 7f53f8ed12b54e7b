"""The interface through which the writer stores a feature's kind of record.

The pipeline knows transactions, savepoints, dead letters, the ledger and ring positions; it does not know issues,
sessions or traces. A feature registers one `KindStore` per kind of record in `bloop/features.py`, and the writer hands
it what it drained.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Protocol

from bloop.base.config import ProjectLimits
from bloop.base.outcomes import Category
from bloop.db.engine import Db
from bloop.pipeline.signals import Signal


class Record(Protocol):
    """The head that records of every kind share."""

    @property
    def project_id(self) -> int: ...
    @property
    def received_at_ms(self) -> int: ...


class KindStore(Protocol):
    """Stores the records of one kind. One per writer process, used by its one thread.

    Per batch the writer calls, inside one transaction: `hold` when counters may wait, `insert`, and `settle` when they
    may not; after COMMIT `commit`, after a rollback `rollback`. An insert that fails is repeated record by record, each
    in a savepoint, so `insert` must leave nothing behind in memory when it raises.
    """

    @property
    def kind(self) -> int:
        """The number in the form of the ring's records (`bloop.records`)."""
        ...

    @property
    def category(self) -> int:
        """The category that the ledger and the producers count them in (`bloop.base.outcomes.Category`)."""
        ...

    @property
    def is_counted(self) -> bool:
        """False for samples that the ledger does not account for, of projects or of none."""
        ...

    @property
    def unsettled(self) -> int:
        """Stored records whose counters are not in the database yet."""
        ...

    def decode(self, payload: bytes, version: int) -> Record:
        """The record in a payload that this version of the kind's codec wrote.

        Raises:
            UnreadableRecord: the version is not known, or did not write this; it becomes a dead letter, or is left out.
        """
        ...

    def insert(self, records: Sequence[Any]) -> list[Signal]:
        """Add the rows of these records; their counters may follow. Returns what there is to tell."""
        ...

    def hold(self) -> None:
        """Note which records are settled: what `insert` adds from here on is not, and a crash must not lose it."""
        ...

    def settle(self, projects: Container[int]) -> list[Signal]:
        """Bring every counter up to date, for records of `projects` only: others were deleted meanwhile."""
        ...

    def commit(self, *, is_settled: bool) -> None:
        """The transaction holds."""
        ...

    def rollback(self) -> None:
        """The transaction does not hold; forget what was learnt in it."""
        ...

    def recover(self) -> None:
        """Rows that this store believed in were deleted by another process: look again at everything remembered."""
        ...


class UncountedStore:
    """What a `KindStore` without counters has besides its rows: nothing to settle, nothing remembered."""

    category = Category.EVENT  # counted in no category
    is_counted = False
    unsettled = 0

    def __init__(self, db: Db, limits: ProjectLimits) -> None:
        self._db = db

    def hold(self) -> None:
        """Nothing is counted."""

    def settle(self, projects: Container[int]) -> list[Signal]:
        return []

    def commit(self, *, is_settled: bool) -> None:
        """Nothing is remembered."""

    rollback = recover = hold
