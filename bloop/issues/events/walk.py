"""The walk behind a search for events: from the newest event to the oldest, block by block, reading little.

WALK-EVENTS-1  A block is read in this order: the columns of the terms that name values, the dims, the fingerprints,
    then rows. A step reads only what the ones before left over. Rows are read in parts that grow: a page is full soon.
WALK-EVENTS-2  Where columns decide everything and no event of the block was deleted, no row is read, and nothing counts
    as looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bloop.base.errors import UnreadableRecord
from bloop.db.engine import Db
from bloop.issues.events import search_read as read
from bloop.issues.events.columns import Column
from bloop.issues.events.index_read import Block, BlockColumns, blocks
from bloop.issues.events.lookup import lookups
from bloop.issues.events.match import EventTerms
from bloop.issues.events.owners import FittingDims, Owners
from bloop.issues.events.search_read import CandidateRow
from bloop.issues.search.terms import Query
from bloop.pipeline.dictionaries import dictionary_of
from bloop.records.event_record import decode_body, search_of, split_dims
from bloop.site.scope import Window

SCANNED_MAX = 50_000  # events looked at themselves: 0.1 s, or 0.6 s where they have to be unpacked
FEW_EVENTS = 3000  # of issues that are few: looking at them takes no longer than asking the index
TESTED_MAX = 500  # positions: with more, reading a whole column is quicker
ROWS_FIRST, ROWS_MOST = 64, 1024  # read at once


class Hit(NamedTuple):
    event_id: int
    issue_id: int


class EventWalk:
    """One search, for one thread, inside one read transaction. After `hits` ended, events with ids below `stopped_at`
    were not looked at; None: all were."""

    def __init__(
        self,
        db: Db,
        project_ids: Sequence[int],
        about_events: Query,
        about_issues: Query,
        *,
        now_ms: int,
        window: Window | None = None,
        issue_ids: Sequence[int] | None = None,
        before: int | None = None,
    ) -> None:
        self._db, self._window = db, window
        self._terms, self._lookups = EventTerms.of(about_events), lookups(about_events)
        self._owners = Owners(db, project_ids, about_issues, now_ms, issue_ids)
        self._dims = FittingDims(db, self._terms)
        self._dictionary_of = dictionary_of(db)
        self._last_id = read.newest_id(db) if before is None else before - 1
        are_exact = all(lookup.is_exact for lookup in self._lookups)
        self._columns_decide = are_exact and len(self._terms.search) == len(self._lookups) and not self._terms.rest
        self._size = ROWS_FIRST
        self.scanned = 0
        self.stopped_at: int | None = None

    def hits(self) -> Iterator[Hit]:
        """Events that match, newest first."""
        if self._owners.are_known:
            most = FEW_EVENTS if self._lookups else SCANNED_MAX // 2
            ids = read.event_ids(self._db, self._owners.fingerprint_ids, most)
            if ids is not None:
                yield from self._hits_among([event_id for event_id in ids if event_id <= self._last_id])
                return
        for block in blocks(self._db):
            if block.first_id > self._last_id:
                continue
            for hits in (self._hits_between(block.last_id + 1), self._hits_in(block)):
                yield from hits
                if self.stopped_at is not None:
                    return
            self._last_id = block.first_id - 1
        yield from self._hits_between(1)

    def pass_over(self, issue_id: int) -> None:
        """Find no more events of this issue; some may still come, of the part being read."""
        self._owners.pass_over(issue_id)

    def _hits_between(self, first_id: int) -> Iterator[Hit]:
        """In the ids down to `first_id`, which have no block."""
        while self._last_id >= first_id:
            size = self._next_size()
            rows = list(read.range_rows(self._db, first_id, self._last_id, max(size, 1)))
            if not rows:
                return
            if not size:
                self.stopped_at = rows[0].id + 1
                return
            yield from self._hits_of(rows)
            self._last_id = rows[-1].id - 1

    def _hits_in(self, block: Block) -> Iterator[Hit]:
        span = self._window
        if span is not None and (block.to_ms < span.from_ms or block.from_ms >= span.to_ms):
            return
        columns = BlockColumns(self._db, block)
        positions = self._positions(columns)
        if not positions:
            return
        is_inside = span is None or (span.from_ms <= block.from_ms and block.to_ms < span.to_ms)
        is_whole = block.event_count == block.indexed_count
        if self._columns_decide and is_inside and is_whole and not (self._terms.dims and columns.lack_dims(positions)):
            yield from self._hits_at(columns, positions)
            return
        place = 0
        while place < len(positions):
            size = self._next_size()
            if not size:
                self.stopped_at = columns.ids([positions[place]])[0] + 1
                return
            owned = self._owned(columns, positions[place : place + size])
            yield from self._hits_of(read.rows(self._db, [event_id for event_id, _ in owned]))
            place += size

    def _positions(self, columns: BlockColumns) -> list[int]:
        """The places in a block whose events may match, the newest first."""
        found: set[int] | None = None
        for lookup in self._lookups:
            if not columns.has(lookup.column):
                return []
            if found is not None and lookup.tester is not None and len(found) <= TESTED_MAX:
                found = set(filter(lookup.tester(columns), found))
            else:
                among = lookup.positions(columns)
                found = set(among) if found is None else found.intersection(among)
            if not found:
                return []
        positions = range(columns.count - 1, -1, -1) if found is None else sorted(found, reverse=True)
        if self._terms.dims:
            dims = columns.numbers(Column.DIMS)
            there = set(dims if found is None else (dims[place] for place in positions))
            fitting = self._dims.among(there)
            if len(fitting) < len(there):
                return [place for place in positions if dims[place] in fitting] if fitting else []
        return list(positions)

    def _hits_at(self, columns: BlockColumns, positions: Sequence[int]) -> Iterator[Hit]:
        """Where columns decide (WALK-EVENTS-2)."""
        place, size = 0, ROWS_FIRST
        while place < len(positions):
            for event_id, issue_id in self._owned(columns, positions[place : place + size]):
                yield Hit(event_id, issue_id)
            place, size = place + size, min(2 * size, ROWS_MOST)

    def _owned(self, columns: BlockColumns, positions: Sequence[int]) -> list[tuple[int, int]]:
        """Events and issues at these places, of those that the search may find."""
        fingerprints = columns.numbers(Column.FINGERPRINTS)
        owners = self._owners.of(fingerprints[place] for place in positions)
        owned = [place for place in positions if fingerprints[place] in owners]
        pairs = zip(columns.ids(owned), (owners[fingerprints[place]] for place in owned), strict=True)
        return [pair for pair in pairs if pair[0] <= self._last_id]

    def _hits_among(self, ids: Sequence[int]) -> Iterator[Hit]:
        """Among these events, the newest first."""
        for start in range(0, len(ids), ROWS_MOST):
            yield from self._hits_of(read.rows(self._db, ids[start : start + ROWS_MOST]))

    def _hits_of(self, rows: Sequence[CandidateRow]) -> Iterator[Hit]:
        self.scanned += len(rows)
        fitting = [row for row in rows if self._fits(row)]
        owners = self._owners.of(row.fingerprint_id for row in fitting)
        for row in fitting:
            if row.fingerprint_id in owners and self._rest_fits(row):
                yield Hit(row.id, owners[row.fingerprint_id])

    def _fits(self, row: CandidateRow) -> bool:
        """By all that is told without unpacking; an event of a release to come fits nothing."""
        span = self._window
        if span is not None and not span.from_ms <= row.received_at_ms < span.to_ms:
            return False
        try:
            dims, body = _split(row)
            return self._dims.fit(dims) and (not self._terms.search or self._terms.fit_search(search_of(body)))
        except UnreadableRecord:
            return False

    def _rest_fits(self, row: CandidateRow) -> bool:
        if not self._terms.rest:
            return True
        dims, body = _split(row)
        try:
            return self._terms.fit_rest(decode_body(body, dims, row.timestamp_ms, self._dictionary_of))
        except UnreadableRecord:
            return False

    def _next_size(self) -> int:
        """How many rows to read next, more from time to time; 0 when as many were read as may be."""
        size = self._size
        self._size = min(2 * size, ROWS_MOST)
        return min(size, SCANNED_MAX - self.scanned)


def _split(row: CandidateRow) -> tuple[bytes, bytes]:
    """Dims and body. Raises: UnreadableRecord."""
    return split_dims(row.body) if row.dims is None else (row.dims, row.body)
