"""Stores a batch of ring records in one transaction: all of it or nothing.

STORE-1  The records, the ledger lines, the signals and the ring positions of a batch commit together. After a crash the
    positions say where to continue, so nothing is stored twice and nothing acknowledged is skipped.
STORE-2  A record that cannot be stored becomes a dead letter with its reason; the records around it are stored.
STORE-3  When the database itself cannot store (full, locked, I/O error) the batch is rolled back whole and raised to
    the caller, who keeps it in the ring and tries again.
STORE-4  Counters from shared memory enter the ledger as differences to what was folded before, in the same transaction.
STORE-5  Counters are a fold over stored records and may follow them by a second or two under load: records are cheap to
    store at once, and the longer their counts are added up in memory, the fewer rows they touch. How long is the
    caller's choice. Each kind's store says, in the same transactions, which records are counted, so a crash in between
    loses no count and counts nothing twice.
STORE-6  What a dead producer had received but neither refused nor put into the ring is booked as INTERRUPTED.
STORE-7  Records of kinds that are not counted (notes about refusals) are stored beside all this and are in no account.
    One that cannot be read is left out.
STORE-8  What the rows of a kind look like is its feature's business (`pipeline/kinds.py`): nothing here names a
    feature.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn, TypeAlias

from bloop.base.clock import minute_of
from bloop.base.errors import BloopError, UnreadableRecord
from bloop.base.outcomes import NO_PROJECT, Category, Outcome
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.db.errors import OPERATIONAL_ERRORS
from bloop.pipeline import day_bytes, dead_letters, signals
from bloop.pipeline import ledger_lines as ledger
from bloop.pipeline.day_bytes import DayTotal
from bloop.pipeline.kinds import KindStore, Record
from bloop.pipeline.ring_account import Account, LaneCount, RingAccount, SpillOrphan
from bloop.pipeline.signals import Signal
from bloop.records.record import CATEGORIES, kind_and_version
from bloop.records.record import project_id as project_id_of

log = logging.getLogger(__name__)

_SELECT_PROJECT_IDS = "SELECT id FROM projects WHERE deleted_at_ms IS NULL"

RingRecord: TypeAlias = tuple[int, bytes, int]  # form, payload, lane: as `bloop.ring.Consumer.read` hands them out


@dataclass(slots=True)
class BatchResult:
    """The counts of one stored batch, for the writer's log and statistics."""

    events: int = 0
    dead: int = 0
    discarded: int = 0
    signals: int = 0
    received: Counter[int] = field(default_factory=Counter)  # ms → records received then, for how long they waited
    day_totals: list[DayTotal] = field(default_factory=list)  # bytes of the projects and days it had records of


@dataclass(slots=True)
class _Decoded:
    """The records of one kind in a batch, each beside the payload it came in."""

    records: list[Record] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)


class _Route(NamedTuple):
    """The store for records of one form."""

    store: KindStore | None  # None: this writer does not know the kind
    kind: int
    version: int
    category: int
    decoded: _Decoded


@dataclass(slots=True)
class _Batch:
    """A batch after decoding: what can be stored, what cannot and why. `projects` are those that are not deleted."""

    projects: frozenset[int] = frozenset()
    by_kind: dict[int, _Decoded] = field(default_factory=dict)
    dead: list[tuple[int, bytes, int, str]] = field(default_factory=list)  # kind, payload, project id, reason
    discarded: list[tuple[int, int]] = field(default_factory=list)  # kind, project id
    drained: Counter[Account] = field(default_factory=Counter)
    signals: list[Signal] = field(default_factory=list)


class Store:
    """The writer's view of the database. One per writer process; `db` comes from `connection.open_writer`."""

    def __init__(
        self, db: Db, ring_id: int, kinds: Iterable[KindStore], *, orphans: Sequence[SpillOrphan] = ()
    ) -> None:
        self._db = db
        self._account = RingAccount(db, ring_id, orphans)
        self._kinds = {kind.kind: kind for kind in kinds}

    @property
    def unsettled(self) -> int:
        """Stored records that are not in the counters yet; the next `store` with `settle` counts them."""
        return sum(kind.unsettled for kind in self._kinds.values())

    def positions(self) -> dict[int, int]:
        """Where to continue in each lane, spill and orphan."""
        return self._account.positions()

    def store(
        self,
        records: Sequence[RingRecord],
        positions: Mapping[int, int],
        cells: Sequence[LaneCount],
        *,
        now_ms: int,
        settle: bool = True,
    ) -> BatchResult:
        """Store one batch (STORE-1 to STORE-4) and, with `settle`, bring every counter up to date (STORE-5).

        Raises:
            db_errors.Error: one of OPERATIONAL_ERRORS; nothing was stored.
        """
        attempt = functools.partial(self._attempt, records, positions, cells, now_ms, settle)
        try:
            return attempt(self._insert)
        except OPERATIONAL_ERRORS:
            raise
        except db_errors.ConstraintError:  # an issue was deleted since we last saw it, by retention or with its project
            for kind in self._kinds.values():
                kind.recover()
        except Exception:
            _log_failure("a batch of %d records failed, storing them one by one", len(records))
            return attempt(self._insert_one_by_one)
        try:
            return attempt(self._insert)
        except OPERATIONAL_ERRORS:
            raise
        except Exception:
            _log_failure("a batch of %d records failed twice, storing them one by one", len(records))
            return attempt(self._insert_one_by_one)

    def _attempt(
        self,
        records: Sequence[RingRecord],
        positions: Mapping[int, int],
        cells: Sequence[LaneCount],
        now_ms: int,
        settle: bool,
        insert: Callable[[_Batch], None],
    ) -> BatchResult:
        kinds = self._kinds.values()
        try:
            with connection.immediate(self._db):
                batch = self._sort(records)
                if not settle:
                    for kind in kinds:
                        kind.hold()
                insert(batch)
                if settle:
                    for kind in kinds:
                        batch.signals += kind.settle(batch.projects)
                signals.append(self._db, batch.signals)
                self._bury(batch, now_ms)
                received, day_totals = self._settle_ledger(batch, cells, now_ms)
                self._account.save_positions(positions)
        except BaseException:
            for kind in kinds:
                kind.rollback()
            self._account.rollback()
            raise
        for kind in kinds:
            kind.commit(is_settled=settle)
        self._account.commit()
        return BatchResult(
            received.total(), len(batch.dead), len(batch.discarded), len(batch.signals), received, day_totals
        )

    def _sort(self, records: Sequence[RingRecord]) -> _Batch:
        batch = _Batch(projects=frozenset(row[0] for row in self._db.execute(_SELECT_PROJECT_IDS)))
        by_kind = {kind: _Decoded() for kind in self._kinds}
        routes: dict[int, _Route] = {}  # a batch has thousands of records, of one or two forms
        for form, payload, lane in records:
            route = routes.get(form)
            if route is None:
                route = routes[form] = self._route(form, by_kind)
            store, kind, version, category, decoded = route
            if store is not None and not store.is_counted:
                _sort_uncounted(store, payload, version, decoded, batch.projects)
                continue
            try:
                record = store.decode(payload, version) if store is not None else _unknown(kind)
            except BloopError as error:
                project_id = project_id_of(payload) or NO_PROJECT
                batch.dead.append((kind, payload, project_id, str(error)))
            else:
                project_id = record.project_id
                if project_id in batch.projects:
                    decoded.records.append(record)
                    decoded.payloads.append(payload)
                else:
                    batch.discarded.append((kind, project_id))
            batch.drained[lane, project_id, category] += 1
        batch.by_kind = {kind: decoded for kind, decoded in by_kind.items() if decoded.records}
        return batch

    def _route(self, form: int, by_kind: Mapping[int, _Decoded]) -> _Route:
        kind, version = kind_and_version(form)
        return _Route(self._kinds.get(kind), kind, version, self._category_of(kind), by_kind.get(kind, _Decoded()))

    def _insert(self, batch: _Batch) -> None:
        for kind, decoded in batch.by_kind.items():
            batch.signals += self._kinds[kind].insert(decoded.records)

    def _insert_one_by_one(self, batch: _Batch) -> None:
        """Each record in a savepoint of its own; the ones that fail move to `batch.dead`."""
        for kind, decoded in batch.by_kind.items():
            stored = _Decoded()
            for record, payload in zip(decoded.records, decoded.payloads, strict=True):
                try:
                    with self._db:  # inside a transaction: a savepoint
                        new_signals = self._kinds[kind].insert([record])
                except OPERATIONAL_ERRORS:
                    raise
                except Exception as error:
                    batch.dead.append((kind, payload, record.project_id, f"{type(error).__name__}: {error}"))
                else:
                    stored.records.append(record)
                    stored.payloads.append(payload)
                    batch.signals += new_signals
            batch.by_kind[kind] = stored

    def _bury(self, batch: _Batch, now_ms: int) -> None:
        for kind, payload, project_id, reason in batch.dead:
            if project_id != NO_PROJECT and project_id not in batch.projects:
                continue  # nothing is kept of a deleted project, only counted
            dead_letters.add(
                self._db,
                dead_at_ms=now_ms,
                project_id=project_id,
                record_kind=kind,
                reason=reason,
                payload=payload,
            )

    def _settle_ledger(
        self, batch: _Batch, cells: Sequence[LaneCount], now_ms: int
    ) -> tuple[Counter[int], list[DayTotal]]:
        """Book the outcomes and bytes of the batch, and the growth of the lanes' counters.

        Returns the stored records by ms of receipt, and what the days they were received in hold now.
        """
        lines: Counter[tuple[int, int, int, int]] = Counter()
        received: Counter[int] = Counter()
        sizes: Counter[tuple[int, int]] = Counter()  # day and project → bytes
        for kind, decoded in batch.by_kind.items():
            if not self._kinds[kind].is_counted:
                continue
            category = self._kinds[kind].category
            stored = Counter((r.received_at_ms, r.project_id) for r in decoded.records)
            for (at_ms, project_id), count in stored.items():  # a millisecond has several; a minute very many
                lines[minute_of(at_ms), project_id, category, Outcome.STORED] += count
                received[at_ms] += count
            if stored:
                sizes.update(day_bytes.add_up(stored, decoded.records, decoded.payloads))
        minute = minute_of(now_ms)
        for kind, _, project_id, _ in batch.dead:
            lines[minute, project_id, self._category_of(kind), Outcome.DEAD_LETTER] += 1
        for kind, project_id in batch.discarded:
            lines[minute, project_id, self._category_of(kind), Outcome.DISCARDED] += 1
        ledger.add_outcomes(self._db, ((*line, count) for line, count in lines.items()))
        self._account.fold(cells, batch.drained, now_ms)
        return received, day_bytes.add(self._db, sizes)

    def _category_of(self, kind: int) -> int:
        """Also of kinds without a store here: a release that has one counted them."""
        store = self._kinds.get(kind)
        return store.category if store is not None else CATEGORIES.get(kind, Category.EVENT)

    def settle_dead_lanes(self, lanes: Iterable[int], now_ms: int) -> int:
        """Book INTERRUPTED for lanes that have no producer and nothing left to read (STORE-6); return how many records.

        Call it after `store` was given counters read while the lane already had no producer.

        Raises:
            db_errors.Error: one of OPERATIONAL_ERRORS; nothing was booked.
        """
        return self._account.settle_dead_lanes(lanes, now_ms)


def _sort_uncounted(
    store: KindStore, payload: bytes, version: int, decoded: _Decoded, projects: frozenset[int]
) -> None:
    """Store notes, which are in no account (STORE-7)."""
    try:
        record = store.decode(payload, version)
    except BloopError as error:
        log.warning("%s", error, extra={"action": "note_unreadable"})
        return
    if record.project_id in projects or record.project_id == NO_PROJECT:
        decoded.records.append(record)
        decoded.payloads.append(payload)


def _unknown(kind: int) -> NoReturn:
    raise UnreadableRecord(f"record kind {kind} is not known to this writer")


def _log_failure(message: str, records: int) -> None:
    log.exception(message, records, extra={"action": "batch_failed"})
