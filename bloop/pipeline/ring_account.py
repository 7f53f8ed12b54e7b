"""The database's state of one ring: how far it was read, and how much of its counters is in the ledger.

Counters in shared memory only grow, so what enters the ledger is the difference to what was folded before (STORE-4 of
store.py). What a ring that is gone has left on the disk is an orphan: it is read like a lane of the present ring, but
its bookkeeping stays under the ring that spilled it, which may have another orphan in the next ring.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bloop.base.clock import minute_of
from bloop.base.outcomes import REFUSALS, Outcome
from bloop.db import connection
from bloop.db.engine import Db
from bloop.pipeline import ledger_lines as ledger
from bloop.pipeline import ring_state
from bloop.pipeline.ring_state import CellKey

Account = tuple[int, int, int]  # lane, project id, category


class LaneCount(Protocol):
    """A shared-memory counter, as `bloop.ring.Consumer.cells` hands them out."""

    @property
    def lane(self) -> int: ...
    @property
    def project_id(self) -> int: ...
    @property
    def category(self) -> int: ...
    @property
    def outcome(self) -> int: ...
    @property
    def value(self) -> int: ...


class SpillOrphan(Protocol):
    """Spilled records of a ring that is gone, as `bloop.ring.Consumer.orphans` lists it."""

    @property
    def slot(self) -> int: ...
    @property
    def ring_id(self) -> int: ...
    @property
    def lane(self) -> int: ...
    @property
    def spill_slot(self) -> int: ...


class RingAccount:
    """Folds of a transaction hold once `commit` is called after it; `rollback` takes them back."""

    def __init__(self, db: Db, ring_id: int, orphans: Sequence[SpillOrphan]) -> None:
        self._db = db
        self._ring_id = ring_id
        self._orphans = {orphan.slot: orphan for orphan in orphans}
        self._folded = ring_state.cells(db, ring_id)
        self._fresh: dict[CellKey, int] = {}
        for orphan in orphans:
            cells = ring_state.cells(db, orphan.ring_id).items()
            self._folded |= {(orphan.slot, p, c, o): n for (lane, p, c, o), n in cells if lane == orphan.lane}

    def positions(self) -> dict[int, int]:
        """Where to continue in each lane, spill and orphan."""
        found = ring_state.positions(self._db, self._ring_id)
        for orphan in self._orphans.values():
            position = ring_state.positions(self._db, orphan.ring_id).get(orphan.spill_slot)
            found |= {orphan.slot: position} if position is not None else {}
        return found

    def save_positions(self, positions: Mapping[int, int]) -> None:
        """An orphan's under the ring that it was spilled by: it may outlive the present one as well."""
        orphans, own = self._orphans, self._ring_id
        homes = ((orphans[s].ring_id, orphans[s].spill_slot) if s in orphans else (own, s) for s in positions)
        rows = [(*home, position) for home, position in zip(homes, positions.values(), strict=True)]
        ring_state.save_positions(self._db, rows)

    def fold(self, cells: Iterable[LaneCount], drained: Mapping[Account, int], now_ms: int) -> None:
        """Book what the counters grew by. `drained` is how many records a batch took out."""
        lines: Counter[tuple[int, int, int]] = Counter()
        changed: dict[CellKey, int] = {}
        for cell in cells:
            key = (cell.lane, cell.project_id, cell.category, cell.outcome)
            before = self._folded.get(key, 0)
            if cell.value != before:
                lines[key[1:]] += cell.value - before
                changed[key] = cell.value
        for account, count in drained.items():
            key = (*account, Outcome.STORED)
            changed[key] = self._folded.get(key, 0) + count
        minute = minute_of(now_ms)
        ledger.add_outcomes(self._db, ((minute, *line, n) for line, n in lines.items()))
        self._save_cells(changed)
        self._fresh = changed

    def commit(self) -> None:
        self._folded.update(self._fresh)
        self._fresh = {}

    def rollback(self) -> None:
        self._fresh = {}

    def settle_dead_lanes(self, lanes: Iterable[int], now_ms: int) -> int:
        """Book INTERRUPTED for lanes that have no producer and nothing left to read; return how many records.

        Raises:
            db_errors.Error: one of OPERATIONAL_ERRORS; nothing was booked.
        """
        changed: dict[CellKey, int] = {}
        dead = set(lanes)
        for account in {key[:3] for key in self._folded if key[0] in dead}:
            missing = self._missing(account)
            if missing > 0:
                key = (*account, Outcome.INTERRUPTED)
                changed[key] = self._folded.get(key, 0) + missing
        if not changed:
            return 0
        minute = minute_of(now_ms)
        lost = [(minute, *key[1:], n - self._folded.get(key, 0)) for key, n in changed.items()]
        with connection.immediate(self._db):
            ledger.add_outcomes(self._db, lost)
            self._save_cells(changed)
        self._folded.update(changed)
        return sum(count for *_, count in lost)

    def _missing(self, account: Account) -> int:
        """The number of records received there without any other outcome."""
        received, *known = (
            self._folded.get((*account, outcome), 0) for outcome in (Outcome.RECEIVED, Outcome.STORED, *REFUSALS)
        )
        return received - sum(known)

    def _save_cells(self, changed: Mapping[CellKey, int]) -> None:
        orphans, own = self._orphans, self._ring_id
        homes = ((orphans[s].ring_id, orphans[s].lane) if s in orphans else (own, s) for s, *_ in changed)
        rows = [(*home, *key[1:], value) for home, (key, value) in zip(homes, changed.items(), strict=True)]
        ring_state.save_cells(self._db, rows)
