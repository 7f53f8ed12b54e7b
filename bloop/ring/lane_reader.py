"""One lane, seen from the consumer: reads records, tells *not there yet* from *torn*, keeps the consumed count true.

Used by `Consumer` only, in its process and thread, holding the consumer's claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xxhash import xxh3_64_intdigest

from bloop.base.errors import RingMismatch
from bloop.ring import layout
from bloop.ring.cursor import TURN_RECORDS, Batch, Cursor
from bloop.ring.mapping import Mapping
from bloop.ring.spill_reader import SpillReader

_CELL_WORDS_READ = 64  # at a time: most lanes use a few of their thousand cells


class LaneReader(Cursor):
    """Where the current read stands in one lane, and in its spill; spilled records are younger than the lane's."""

    __slots__ = ("_area_start", "_mapping", "index", "spill")

    def __init__(self, mapping: Mapping, index: int, spill: SpillReader | None, monotonic: Callable[[], float]) -> None:
        self._mapping, self.index, self.spill = mapping, index, spill
        self._area_start = mapping.geometry.area(index)
        super().__init__(mapping.words, mapping.geometry.lane_word(index), index, monotonic)
        if not 0 <= self._head - self.tail <= mapping.geometry.lane_bytes:
            raise RingMismatch(f"lane {index} of ring {mapping.name} is damaged: head {self._head}, tail {self.tail}")

    def has_news(self) -> bool:
        """Whether anything was pushed or spilled since the last `rewind`."""
        return super().has_news() or (self.spill is not None and self.spill.has_news())

    def fill(self) -> float:
        """The used part of the lane, 0.0 to 1.0; a lane that spilled is full."""
        if self.spill is not None and self.spill.waiting_bytes:
            return 1.0
        return self.waiting_bytes / self._mapping.geometry.lane_bytes

    def counts(self) -> Iterator[tuple[int, int, int, int]]:
        """Every count of the lane that is not zero: project id, category, outcome, value."""
        words, first, version = self._words, self.first_word, self._mapping.geometry.version
        for category in range(version.categories):
            start = first + version.project_0 + category * (layout.OUTCOME_MAX + 1)
            row = words[start : start + layout.OUTCOME_MAX + 1].tolist()
            if any(row):
                yield from ((0, category, outcome, value) for outcome, value in enumerate(row) if value)
        category_mask, project_shift = (1 << version.category_bits) - 1, 8 + version.category_bits
        end = first + version.lane_head_bytes // 8
        for start in range(first + version.cells, end, _CELL_WORDS_READ):
            cells = words[start : min(start + _CELL_WORDS_READ, end)].tolist()
            for key, value in zip(cells[::2], cells[1::2], strict=True):
                if key == 0:
                    return
                if value:
                    yield key >> project_shift, key >> 8 & category_mask, key & 0xFF, value

    def rewind(self) -> None:
        """Start a read. The spill's head is read first: records in the lane are then older than those below it."""
        if self.spill is not None:
            self.spill.rewind()
        super().rewind()

    def read_turn(self, batch: Batch, records_max: int, bytes_max: int) -> bool:
        """Append up to one turn's records to the batch; True when another turn may find more."""
        if self.has_more or self.spill is None:
            return self._read_lane(batch, records_max, bytes_max) or (self.spill is not None and self._is_spill_next)
        return self._is_spill_next and self.spill.read_turn(batch, records_max, bytes_max)

    @property
    def _is_spill_next(self) -> bool:
        """Whether the lane was read to its end; reads its head again, as neither side has a memory fence (RING-R14)."""
        assert self.spill is not None
        return self.spill.has_more and not self.has_more and not super().has_news()

    def _read_lane(self, batch: Batch, records_max: int, bytes_max: int) -> bool:
        words, area, area_start = self._mapping.words, self._mapping.area, self._area_start
        lane_bytes, index, position = self._mapping.geometry.lane_bytes, self.index, self.position
        records, payload_bytes = batch.records, batch.bytes
        counted = len(records)
        turn_end = min(counted + TURN_RECORDS, records_max)
        must_wait = False
        while position < self._head and len(records) < turn_end:
            offset = position % lane_bytes
            at = area_start + offset
            first = words[at >> 3]
            size = first & 0xFFFF_FFFF
            need = (size + 23) & -8
            if need <= lane_bytes - offset and need <= self._head - position:
                payload = area[at + 16 : at + 16 + size]  # verified in our copy, which no process can change
                if xxh3_64_intdigest(payload) ^ first ^ position == words[(at >> 3) + 1]:
                    if records and payload_bytes + size > bytes_max:
                        batch.full = True
                        break
                    records.append((first >> 32, payload, index))
                    payload_bytes += size
                    position += need
                    continue
            self.passed += len(records) - counted
            counted = len(records)
            next_position = self._skip_unverified(batch, position)
            if next_position is None:
                must_wait = True
                break
            position = next_position
        self.passed += len(records) - counted
        self.position, batch.bytes = position, payload_bytes
        batch.full = batch.full or len(records) >= records_max
        return position < self._head and not must_wait

    def _skip_unverified(self, batch: Batch, position: int) -> int | None:
        """The position to continue at when no record verifies here: None means wait, the same one means look again."""
        if rest := self._wrap_bytes(position):
            return position + rest
        if self._mapping.is_claimed(layout.LOCK_LANE_0 + self.index):
            if not self._is_overdue(position):
                return None
        elif self._record_bytes(position):  # whole after all: its last bytes became visible when the lock was freed
            return position
        return self._skip_torn(batch, position)

    def _skip_torn(self, batch: Batch, position: int) -> int:
        """Give up one record, or all that wait when it is not clear where the next one starts (RING-R5)."""
        next_position = position + layout.footprint(self._mapping.words[self._area_index(position) >> 3] & 0xFFFF_FFFF)
        if next_position == self._head or (
            next_position < self._head and (self._wrap_bytes(next_position) or self._record_bytes(next_position))
        ):
            lost = 1
        else:
            lost, next_position = self._count_remaining(), self._head
        batch.torn += lost
        self.passed += lost
        return next_position

    def _record_bytes(self, position: int) -> int:
        """Bytes that the record at a position takes; 0 when none verifies there."""
        words, at = self._mapping.words, self._area_index(position)
        first = words[at >> 3]
        size = first & 0xFFFF_FFFF
        need = layout.footprint(size)
        if need > self._bytes_to_area_end(position) or need > self._head - position:
            return 0
        payload = self._mapping.area[at + 16 : at + 16 + size]
        return need if xxh3_64_intdigest(payload) ^ first ^ position == words[(at >> 3) + 1] else 0

    def _wrap_bytes(self, position: int) -> int:
        """Bytes to the end of the area when the lap ends at this position, else 0. A record always follows."""
        marker = layout.wrap_marker(position, self._mapping.geometry.lane_bytes)
        rest = self._bytes_to_area_end(position)
        is_marked = self._mapping.words[self._area_index(position) >> 3] == marker
        return rest if is_marked and rest < self._head - position else 0

    def _area_index(self, position: int) -> int:
        return self._area_start + position % self._mapping.geometry.lane_bytes

    def _bytes_to_area_end(self, position: int) -> int:
        lane_bytes = self._mapping.geometry.lane_bytes
        return lane_bytes - position % lane_bytes
