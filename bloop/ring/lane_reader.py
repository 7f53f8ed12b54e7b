"""One lane, seen from the consumer: reads records, tells *not there yet* from *torn*, keeps the consumed count true.

Used by `Consumer` only, in its process and thread, holding the consumer's claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xxhash import xxh3_64_intdigest

from bloop.errors import RingMismatch
from bloop.ring import layout
from bloop.ring.layout import L_ACCEPTED, L_CONSUMED, L_HEAD, L_READ_COUNT, L_READ_TO, L_TAIL, POSITION_MASK
from bloop.ring.mapping import Mapping

_TURN_RECORDS = 64  # a lane's turn within a batch: short enough to be fair, long enough to cost nothing


@dataclass(slots=True)
class Batch:
    """What one `read` found. `positions` covers `records` and `torn`, for the lanes that moved."""

    records: list[tuple[int, bytes, int]] = field(default_factory=list)  # kind, payload, lane
    positions: dict[int, int] = field(default_factory=dict)  # lane -> position after these records
    bytes: int = 0  # of payload
    torn: int = 0  # records given up because they do not verify (R4)
    full: bool = False  # a limit ended it: read again before waiting
    passed: dict[int, int] = field(default_factory=dict)  # lane -> records and torn records; for `release`


class LaneReader:
    """Where the current read stands in one lane: `position` and what it has `passed` since the tail."""

    __slots__ = (
        "_area_start",
        "_doubted_at",
        "_doubted_since",
        "_head",
        "_mapping",
        "_monotonic",
        "_seen",
        "first_word",
        "index",
        "passed",
        "position",
    )

    def __init__(self, mapping: Mapping, index: int, monotonic: Callable[[], float]) -> None:
        self._mapping, self.index, self._monotonic = mapping, index, monotonic
        self.first_word, self._area_start = mapping.geometry.lane_word(index), mapping.geometry.area(index)
        self._doubted_at, self._doubted_since = -1, 0.0
        head_word = mapping.words[self.first_word + L_HEAD]
        self._head = head_word & POSITION_MASK
        self.position, self.passed = self.tail, 0
        if not 0 <= self._head - self.tail <= mapping.geometry.lane_bytes:
            raise RingMismatch(f"lane {index} of ring {mapping.name} is damaged: head {head_word}, tail {self.tail}")
        self._seen = head_word if self._head == self.tail else -1  # what waits from before us is news
        self._finish_count()  # our predecessor may have died in a release

    @property
    def tail(self) -> int:
        """Everything before it is released."""
        return self._mapping.words[self.first_word + L_TAIL]

    def has_news(self) -> bool:
        """Whether anything was pushed since the last `rewind`."""
        return self._mapping.words[self.first_word + L_HEAD] != self._seen

    def fill(self) -> float:
        """The part of the lane that is taken, 0.0 to 1.0."""
        used = (self._mapping.words[self.first_word + L_HEAD] & POSITION_MASK) - self.tail
        return used / self._mapping.geometry.lane_bytes

    def rewind(self) -> None:
        """Start a read: from the tail, up to the head of this moment."""
        self._seen = self._mapping.words[self.first_word + L_HEAD]
        self._head, self.position, self.passed = self._seen & POSITION_MASK, self.tail, 0

    def read_turn(self, batch: Batch, records_max: int, bytes_max: int) -> bool:
        """Append up to one turn's records to the batch; True when another turn may find more."""
        words, area, area_start = self._mapping.words, self._mapping.area, self._area_start
        lane_bytes, index, position = self._mapping.geometry.lane_bytes, self.index, self.position
        records, payload_bytes = batch.records, batch.bytes
        counted = len(records)
        turn_end = min(counted + _TURN_RECORDS, records_max)
        waits = False
        while position < self._head and len(records) < turn_end:
            offset = position % lane_bytes
            at = area_start + offset
            first = words[at >> 3]
            size = first & 0xFFFF_FFFF
            need = (size + 23) & -8
            if need <= lane_bytes - offset and need <= self._head - position:
                payload = area[at + 16 : at + 16 + size]  # checked in our copy: it cannot change under us
                if xxh3_64_intdigest(payload) ^ first ^ position == words[(at >> 3) + 1]:
                    if records and payload_bytes + size > bytes_max:
                        batch.full = True
                        break
                    records.append((first >> 32 & 0xFFFF, payload, index))
                    payload_bytes += size
                    position += need
                    continue
            self.passed += len(records) - counted
            counted = len(records)
            onward = self._past_no_record(batch, position)
            if onward is None:
                waits = True
                break
            position = onward
        self.passed += len(records) - counted
        self.position, batch.bytes = position, payload_bytes
        batch.full = batch.full or len(records) >= records_max
        return position < self._head and not waits

    def announce(self) -> None:
        """Note where this read will leave the lane, for whoever comes after us (R8)."""
        words, first = self._mapping.words, self.first_word
        words[first + L_READ_TO] = self.position  # first: from here on the pair cannot match the tail by accident
        words[first + L_READ_COUNT] = words[first + L_CONSUMED] + self.passed

    def release(self, position: int, passed: int) -> None:
        """Move the tail; the bytes before it may be overwritten from now on (R6)."""
        words, first = self._mapping.words, self.first_word
        assert self.tail <= position <= words[first + L_HEAD] & POSITION_MASK, "released twice, or not ours"
        words[first + L_TAIL] = position
        words[first + L_CONSUMED] += passed

    def resume(self, position: int) -> None:
        """Move the tail to a position that was committed but not released; RingMismatch when nothing reaches there."""
        words, first = self._mapping.words, self.first_word
        if position > words[first + L_HEAD] & POSITION_MASK:
            raise RingMismatch(f"lane {self.index} was stored up to {position}, past the end of what was pushed")
        if position > self.tail:
            words[first + L_TAIL] = position
            self._finish_count()

    def _finish_count(self) -> None:
        """Let the consumed count follow the tail; only where the last read ended can have been committed (R8)."""
        words, first = self._mapping.words, self.first_word
        if words[first + L_TAIL] == words[first + L_READ_TO]:
            words[first + L_CONSUMED] = words[first + L_READ_COUNT]

    def _past_no_record(self, batch: Batch, position: int) -> int | None:
        """Where to go on when no record verifies here: None means wait, the same position means look again."""
        if rest := self._wrap(position):
            return position + rest
        if self._mapping.claimed(layout.LOCK_LANE_0 + self.index):
            if not self._overdue(position):
                return None
        elif self._record(position):  # whole after all: its last bytes were still on their way until the lock was free
            return position
        return self._past_torn(batch, position)

    def _overdue(self, position: int) -> bool:
        now = self._monotonic()
        if self._doubted_at != position:
            self._doubted_at, self._doubted_since = position, now
        return now - self._doubted_since >= layout.VISIBLE_WITHIN_S

    def _past_torn(self, batch: Batch, position: int) -> int:
        """Give up one record, or all that wait when it is not clear where the next one starts (R5)."""
        onward = position + layout.footprint(self._mapping.words[self._at(position) >> 3] & 0xFFFF_FFFF)
        if onward == self._head or (onward < self._head and (self._wrap(onward) or self._record(onward))):
            lost = 1
        else:
            self._head, accepted = self._published()
            lost = max(1, accepted - self._mapping.words[self.first_word + L_CONSUMED] - self.passed)
            onward = self._head
        batch.torn += lost
        self.passed += lost
        return onward

    def _record(self, position: int) -> int:
        """Bytes that the record at a position takes; 0 when none verifies there."""
        words, at = self._mapping.words, self._at(position)
        first = words[at >> 3]
        size = first & 0xFFFF_FFFF
        need = layout.footprint(size)
        if need > self._rest(position) or need > self._head - position:
            return 0
        payload = self._mapping.area[at + 16 : at + 16 + size]
        return need if xxh3_64_intdigest(payload) ^ first ^ position == words[(at >> 3) + 1] else 0

    def _wrap(self, position: int) -> int:
        """Bytes to the end of the area when the lap ends at this position, else 0. A record always follows."""
        marker = layout.wrap_marker(position, self._mapping.geometry.lane_bytes)
        rest = self._rest(position)
        return rest if self._mapping.words[self._at(position) >> 3] == marker and rest < self._head - position else 0

    def _at(self, position: int) -> int:
        return self._area_start + position % self._mapping.geometry.lane_bytes

    def _rest(self, position: int) -> int:
        lane_bytes = self._mapping.geometry.lane_bytes
        return lane_bytes - position % lane_bytes

    def _published(self) -> tuple[int, int]:
        """Head and the number of records below it, of the same moment."""
        words, first = self._mapping.words, self.first_word
        while True:
            head = words[first + L_HEAD]
            accepted = words[first + L_ACCEPTED]
            if words[first + L_HEAD] == head:  # ends: a push takes longer than these two reads
                return head & POSITION_MASK, layout.accepted_exact(head, accepted)
