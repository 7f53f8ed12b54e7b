"""A batch of ring records becomes rows: one transaction, all of it or nothing.

S1  The records, the ledger lines, the signals and the ring positions of a batch commit together. After a crash the
    positions say where to go on, so nothing is stored twice and nothing acknowledged is skipped.
S2  A record that cannot be stored becomes a dead letter with its reason; the records around it are stored.
S3  When the database itself cannot store (full, locked, I/O error) the batch is rolled back whole and raised to the
    caller, who keeps it in the ring and tries again.
S4  Counters from shared memory enter the ledger as differences to what was folded before, in the same transaction.
S5  Counters are a fold over stored events and may follow them by a second or two under load: events are cheap to store
    at once, and the longer their counts are added up in memory, the fewer rows they touch. How long is the caller's
    choice. `settled` says, in the same transactions, which events are counted, so a crash in between loses no count
    and counts nothing twice.
S6  What a dead producer had received but neither refused nor put into the ring is booked as INTERRUPTED.
S7  Notes about refusals are stored beside all this and counted nowhere: the refusals themselves are counted already.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import apsw
import msgspec

from bloop.clock import minute_of
from bloop.errors import UnreadableRecord
from bloop.outcomes import Outcome
from bloop.query.ledger import NO_PROJECT
from bloop.record import ErrorRecord, Kind, decode_error, kind_and_version
from bloop.storage import connection, counters, dead_letters, events, fold, issues, rejections, signals
from bloop.storage.connection import OPERATIONAL_ERRORS
from bloop.storage.fold import Seen
from bloop.storage.ring_account import Cell, Orphan, RingAccount
from bloop.storage.signals import Signal

log = logging.getLogger(__name__)

_SELECT_PROJECT_IDS = "SELECT id FROM projects WHERE deleted_at_ms IS NULL"

RingRecord: TypeAlias = tuple[int, bytes, int]  # form, payload, lane: as `bloop.ring.Consumer.read` hands them out


@dataclass(slots=True)
class Stored:
    """What came of a batch, for the writer's log and statistics."""

    events: int = 0
    dead: int = 0
    discarded: int = 0
    signals: int = 0
    received: Counter[int] = field(default_factory=Counter)  # ms → events received then, for how long they waited


@dataclass(slots=True)
class _Sorted:
    """A batch after decoding: what can be stored, what cannot and why. `projects` are those that are not deleted."""

    projects: frozenset[int] = frozenset()
    records: list[ErrorRecord] = field(default_factory=list)
    dead: list[tuple[int, bytes, int, str]] = field(default_factory=list)  # kind, payload, project id, reason
    discarded: list[int] = field(default_factory=list)  # project ids
    drained: dict[tuple[int, int], int] = field(default_factory=dict)  # (lane, project) → records
    seen: list[Seen] = field(default_factory=list)
    told: list[Signal] = field(default_factory=list)
    notes: list[bytes] = field(default_factory=list)  # S7
    received: Counter[tuple[int, int]] = field(default_factory=Counter)  # (ms, project) → events that were stored


class Store:
    """The writer's view of the database. One per writer process; `db` comes from `connection.open_writer`."""

    def __init__(
        self, db: apsw.Connection, ring_id: int, *, culprit_of: issues.CulpritOf, orphans: Sequence[Orphan] = ()
    ) -> None:
        self._db = db
        self._account = RingAccount(db, ring_id, orphans)
        self._culprit_of = culprit_of
        self._ids = issues.IssueIds()
        self._unsettled = events.unsettled(db)

    @property
    def unsettled(self) -> int:
        """Stored events that are not in the counters yet; the next `store` with `settle` counts them."""
        return len(self._unsettled)

    def positions(self) -> dict[int, int]:
        """Where to go on in each lane, spill and orphan."""
        return self._account.positions()

    def store(
        self,
        records: Sequence[RingRecord],
        positions: Mapping[int, int],
        cells: Sequence[Cell],
        *,
        now_ms: int,
        settle: bool = True,
    ) -> Stored:
        """Store one batch (S1 to S4) and, with `settle`, bring every counter up to date (S5).

        Raises:
            apsw.Error: one of OPERATIONAL_ERRORS; nothing was stored.
        """
        attempt = functools.partial(self._attempt, records, positions, cells, now_ms, settle)
        try:
            return attempt(self._insert)
        except OPERATIONAL_ERRORS:
            raise
        except apsw.ConstraintError:  # an issue was deleted, by retention or with its project, since we last saw it
            self._ids.forget_all()
            self._unsettled = issues.still_there(self._db, self._unsettled)
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
        cells: Sequence[Cell],
        now_ms: int,
        settle: bool,
        insert: Callable[[_Sorted], None],
    ) -> Stored:
        try:
            with connection.immediate(self._db):
                batch = self._sort(records)
                if not settle and not self._unsettled:
                    events.mark_settled(self._db)  # what follows is not: count from here after a crash
                insert(batch)
                if settle:
                    self._settle(batch)
                signals.append(self._db, batch.told)
                self._bury(batch, now_ms)
                rejections.add(self._db, batch.notes, batch.projects | {NO_PROJECT})
                self._settle_ledger(batch, cells, now_ms)
                self._account.save_positions(positions)
        except BaseException:
            self._ids.rollback()
            self._account.rollback()
            raise
        self._ids.commit()
        self._account.commit()
        self._unsettled = [] if settle else [*self._unsettled, *batch.seen]
        received: Counter[int] = Counter()
        for (at_ms, _), count in batch.received.items():
            received[at_ms] += count
        return Stored(len(batch.records), len(batch.dead), len(batch.discarded), len(batch.told), received)

    def _sort(self, records: Sequence[RingRecord]) -> _Sorted:
        batch = _Sorted(projects=frozenset(row[0] for row in self._db.execute(_SELECT_PROJECT_IDS)))
        for form, payload, lane in records:
            kind, version = kind_and_version(form)
            if kind == Kind.NOTE:  # never in the ledger, so never a dead letter either
                batch.notes += [payload] if version == 0 else []
                continue
            try:
                record = _decode(kind, version, payload)
            except UnreadableRecord as error:
                project_id = _project_hint(payload)
                batch.dead.append((kind, payload, project_id, str(error)))
            else:
                project_id = record.project_id
                if project_id in batch.projects:
                    batch.records.append(record)
                else:
                    batch.discarded.append(project_id)
            batch.drained[lane, project_id] = batch.drained.get((lane, project_id), 0) + 1
        return batch

    def _insert(self, batch: _Sorted) -> None:
        batch.seen, batch.told = self._insert_records(batch.records)

    def _insert_one_by_one(self, batch: _Sorted) -> None:
        """Each record in a savepoint of its own; the ones that fail move to `batch.dead`."""
        stored = []
        for record in batch.records:
            try:
                with self._db:  # inside a transaction: a savepoint
                    seen, told = self._insert_records([record])
            except OPERATIONAL_ERRORS:
                raise
            except Exception as error:
                self._ids.rollback()
                reason = f"{type(error).__name__}: {error}"
                payload = repr(record).encode("utf-8", "replace")
                batch.dead.append((Kind.EVENT, payload, record.project_id, reason))
            else:
                stored.append(record)
                batch.seen += seen
                batch.told += told
        batch.records = stored

    def _insert_records(self, records: Sequence[ErrorRecord]) -> tuple[list[Seen], list[Signal]]:
        if not records:
            return [], []
        groups, told = issues.locate(self._db, self._ids, fold.group_by_issue(records), culprit_of=self._culprit_of)
        events.append(self._db, [events.row_of(issue_id, r) for issue_id, group in groups.items() for r in group])
        return [fold.seen(issue_id, r) for issue_id, group in groups.items() for r in group], told

    def _settle(self, batch: _Sorted) -> None:
        uncounted = self._unsettled + batch.seen
        if uncounted:
            # Element 1 is the project: of one deleted meanwhile nothing may come back once its rows are purged.
            counted = [seen for seen in uncounted if seen[1] in batch.projects]
            totals = fold.add_up(counted)
            counters.add_releases(self._db, totals)
            statuses, told = issues.count(self._db, totals, counted)
            counters.add(self._db, totals, statuses)
            batch.told += told
            events.mark_settled(self._db)

    def _bury(self, batch: _Sorted, now_ms: int) -> None:
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

    def _settle_ledger(self, batch: _Sorted, cells: Sequence[Cell], now_ms: int) -> None:
        batch.received = Counter((r.received_at_ms, r.project_id) for r in batch.records)
        lines: Counter[tuple[int, int, int]] = Counter()
        for (at_ms, project_id), count in batch.received.items():  # a millisecond has several; a minute very many
            lines[minute_of(at_ms), project_id, Outcome.STORED] += count
        minute = minute_of(now_ms)
        for _, _, project_id, _ in batch.dead:
            lines[minute, project_id, Outcome.DEAD_LETTER] += 1
        for project_id in batch.discarded:
            lines[minute, project_id, Outcome.DISCARDED] += 1
        counters.add_outcomes(self._db, ((*line, count) for line, count in lines.items()))
        self._account.fold(cells, batch.drained, now_ms)

    def settle_dead_lanes(self, lanes: Iterable[int], now_ms: int) -> int:
        """Book INTERRUPTED for lanes that have no producer and nothing left to read (S6); return how many records.

        Call it after `store` was given counters read while the lane already had no producer.

        Raises:
            apsw.Error: one of OPERATIONAL_ERRORS; nothing was booked.
        """
        return self._account.settle_dead_lanes(lanes, now_ms)


def _log_failure(message: str, records: int) -> None:
    log.exception(message, records, extra={"action": "batch_failed"})


def _decode(kind: int, version: int, payload: bytes) -> ErrorRecord:
    if kind != Kind.EVENT or version != 0:
        raise UnreadableRecord(f"record kind {kind}, version {version}, is not known to this writer")
    return decode_error(payload)


def _project_hint(payload: bytes) -> int:
    """The project an undecodable record belongs to: every record starts with it. 0 when even that is unreadable."""
    try:
        project_id = msgspec.msgpack.decode(payload)[0]
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError):
        return 0
    return project_id if type(project_id) is int else 0
