"""Events in the pipeline: their rows, the issues they belong to, and everything that is counted about them.

What is stored in a batch is remembered until it is counted; `settled` in the database says from which event on.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from bloop.base.config import ProjectLimits
from bloop.base.errors import UnreadableRecord
from bloop.base.outcomes import Category
from bloop.db.engine import Db
from bloop.grouping import fingerprint_v1 as v1
from bloop.issues import store as issues
from bloop.issues.counts import fold
from bloop.issues.counts import store as counters
from bloop.issues.events import store as events
from bloop.issues.events.store import DimsIds, IncomingEvent, Uncounted
from bloop.issues.fingerprints import store as fingerprints
from bloop.issues.fingerprints.store import FingerprintIds, FingerprintKey
from bloop.issues.limits import combinations
from bloop.issues.limits.names import Names
from bloop.pipeline import dictionaries
from bloop.pipeline.ledger_lines import add_overflows
from bloop.pipeline.signals import Signal
from bloop.records import error_record
from bloop.records.dictionary import current
from bloop.records.event_record import (
    HAS_TEXT,
    IS_PACKED,
    START,
    VERSION,
    EventRecord,
    decode_dims,
    identity_of,
    read_heads,
)
from bloop.records.record import Kind

_new_tuple = tuple.__new__  # what a NamedTuple does, without the function around it


def culprit_of(record: EventRecord) -> str | None:
    """The frame an issue is shown with, from its first event."""
    return v1.culprit(record.event)


class EventStore:
    """A `bloop.pipeline.kinds.KindStore`."""

    kind = Kind.EVENT
    category = Category.EVENT
    is_counted = True

    def __init__(self, db: Db, limits: ProjectLimits) -> None:
        self._db, self._limits = db, limits
        self._dictionary_of = dictionaries.dictionary_of(db)
        self._dictionary_ids = dictionaries.ids(db)
        self._dims = DimsIds(db)
        self._ids = FingerprintIds(db)
        self._names = Names(db, limits)
        self._unsettled = events.unsettled(db)
        self._fresh: list[Uncounted] = []  # of the transaction that is open

    @property
    def unsettled(self) -> int:
        return len(self._unsettled)

    def decode(self, payload: bytes, version: int) -> IncomingEvent:
        """The fields needed to store and count the event. The rest of it stays packed, unread."""
        if version == error_record.VERSION:
            payload = error_record.to_event_record(payload, current())
        elif version != VERSION:
            raise UnreadableRecord(f"event record of version {version} is not known to this release")
        start, flags, dictionary_id, body_at = read_heads(payload)
        _, project_id, received_at_ms, timestamp_ms, fingerprint, user_key, _ = start
        dims = payload[START.size : body_at]
        if (project_id, dims) not in self._dims.known:
            decode_dims(dims)  # so that events which were stored can always be counted
        if flags & IS_PACKED and dictionary_id not in self._dictionary_ids:
            self._check_dictionary(dictionary_id)
        identity = identity_of(payload, body_at) if flags & HAS_TEXT else b""
        fields = (project_id, received_at_ms, timestamp_ms, fingerprint, user_key, identity, dims, payload, body_at)
        return _new_tuple(IncomingEvent, fields)

    def insert(self, records: Sequence[IncomingEvent]) -> list[Signal]:
        self._ids.refresh()
        keys: list[FingerprintKey] = [(event.project_id, event.identity or event.fingerprint) for event in records]
        known = self._ids.known
        new: dict[FingerprintKey, list[IncomingEvent]] = {}
        for key, event in zip(keys, records, strict=True):
            if key not in known:
                new.setdefault(key, []).append(event)
        try:
            signals, overflowed = issues.locate(
                self._db,
                self._ids,
                new,
                limits=self._limits,
                dictionary_of=self._dictionary_of,
                culprit_of=culprit_of,
            )
            ids = [overflowed[key] if key in overflowed else known[key] for key in keys] if overflowed else None
            self._fresh += events.append(self._db, self._dims, ids or [known[key] for key in keys], records)
        except BaseException:
            self._ids.rollback()
            self._dims.rollback()
            raise
        return signals

    def hold(self) -> None:
        if not self._unsettled:
            events.mark_settled(self._db)  # what follows is not: count from here after a crash

    def settle(self, projects: Container[int]) -> list[Signal]:
        uncounted = self._unsettled + self._fresh
        if not uncounted:
            return []
        # Of an issue or a project deleted meanwhile nothing may come back once its rows are purged.
        owners = fingerprints.owners(self._db, list({event[0] for event in uncounted}))
        owners = {key: owner for key, owner in owners.items() if owner.project_id in projects}
        counted = [event for event in uncounted if event[0] in owners]
        events.delete(self._db, [event[2] for event in uncounted if event[0] not in owners])
        totals = fold.add_up(counted, owners, self._names.admit)
        self._dims.learn(totals.dims)  # all at once: they come in no order, so that each would rewrite a page by itself
        combinations.cap(self._db, totals, owners, self._limits.combinations)
        add_overflows(self._db, totals.overflows)
        counters.add_releases(self._db, totals)
        users_max = self._limits.users_per_issue
        statuses, signals = issues.count(self._db, totals, counted, owners, users_max=users_max)
        counters.add(self._db, totals, owners, statuses)
        events.add_keys(self._db, self._dims, owners, counted)
        events.mark_settled(self._db)
        return signals

    def commit(self, *, is_settled: bool) -> None:
        self._ids.commit()
        self._dims.commit()
        self._names.commit()
        self._unsettled = [] if is_settled else self._unsettled + self._fresh
        self._fresh = []

    def rollback(self) -> None:
        self._ids.rollback()
        self._dims.rollback()
        self._names.rollback()
        self._fresh = []

    def recover(self) -> None:
        self._ids.forget_all()

    def _check_dictionary(self, dictionary_id: int) -> None:
        """Look for a dictionary added since the last look. Raises: UnreadableRecord: this event cannot be unpacked."""
        self._dictionary_ids = dictionaries.ids(self._db)
        if dictionary_id not in self._dictionary_ids:
            raise UnreadableRecord(f"dictionary {dictionary_id} of an event is missing")
