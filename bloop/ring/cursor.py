"""The consumer's place in one stream of records, a lane or its spill: the words of both, and the code that moves them.

Used by `Consumer` only, in its process and thread, holding the consumer's claim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bloop.base.errors import RingMismatch
from bloop.ring import layout
from bloop.ring.layout import L_ACCEPTED, L_CONSUMED, L_HEAD, L_READ_COUNT, L_READ_TO, L_TAIL, POSITION_MASK

TURN_RECORDS = 64  # a lane's turn within a batch: short enough to be fair, long enough to cost nothing


@dataclass(slots=True)
class Batch:
    """The records of one `read`. `positions` covers `records` and `torn`, for the streams that moved.

    A stream is known by its slot: a lane's own number, SPILL_SLOT_0 more for its spill, ORPHAN_SLOT_0 and up for the
    spills of rings that no longer exist.
    """

    records: list[tuple[int, bytes, int]] = field(default_factory=list)  # form, payload, lane or slot of an orphan
    positions: dict[int, int] = field(default_factory=dict)  # slot -> position after these records
    bytes: int = 0  # of payload
    torn: int = 0  # records given up because they do not verify (RING-R4, RING-R17)
    full: bool = False  # a limit ended it: read again before waiting
    passed: dict[int, int] = field(default_factory=dict)  # slot -> records and torn records; for `release`


class Cursor:
    """Where the current read stands in a stream: `position`, and what it has `passed` since the tail."""

    __slots__ = ("_head", "_last_head_word", "_monotonic", "_unverified_at", "_unverified_since", "_words",
                 "first_word", "passed", "position", "slot")  # fmt: skip

    def __init__(self, words: memoryview, first_word: int, slot: int, monotonic: Callable[[], float]) -> None:
        self._words, self.first_word, self.slot, self._monotonic = words, first_word, slot, monotonic
        self._unverified_at, self._unverified_since = -1, 0.0
        head_word = words[first_word + L_HEAD]
        self._head = head_word & POSITION_MASK
        self.position, self.passed = self.tail, 0
        self._last_head_word = head_word if self._head == self.tail else -1  # older records are news
        self._finish_count()  # the last consumer may have died in a release

    @property
    def tail(self) -> int:
        """Everything before it is released."""
        return self._words[self.first_word + L_TAIL]

    @property
    def has_more(self) -> bool:
        """Whether this read has not reached the end of the stream."""
        return self.position < self._head

    @property
    def waiting_bytes(self) -> int:
        """Bytes from the tail to the current head."""
        return (self._words[self.first_word + L_HEAD] & POSITION_MASK) - self.tail

    def has_news(self) -> bool:
        """Whether anything was published since the last `rewind`."""
        return self._words[self.first_word + L_HEAD] != self._last_head_word

    def rewind(self) -> None:
        """Start a read: from the tail, up to the current head."""
        self._last_head_word = self._words[self.first_word + L_HEAD]
        self._head, self.position, self.passed = self._last_head_word & POSITION_MASK, self.tail, 0

    def announce(self, batch: Batch) -> None:
        """If this read moved, add its position to the batch, and note both words for the next consumer (RING-R8)."""
        if self.position == self.tail:
            return
        batch.positions[self.slot], batch.passed[self.slot] = self.position, self.passed
        words, first = self._words, self.first_word
        words[first + L_READ_TO] = self.position  # first: from here on the pair cannot match the tail by accident
        words[first + L_READ_COUNT] = words[first + L_CONSUMED] + self.passed

    def release(self, position: int, passed: int) -> None:
        """Move the tail; bytes before it may be overwritten or removed from now on (RING-R6)."""
        words, first = self._words, self.first_word
        assert self.tail <= position <= words[first + L_HEAD] & POSITION_MASK, "released twice, or of another ring"
        words[first + L_TAIL] = position
        words[first + L_CONSUMED] += passed

    def resume(self, position: int) -> None:
        """Move the tail to a position that was committed but not released; RingMismatch when it is past head."""
        words, first = self._words, self.first_word
        if position > words[first + L_HEAD] & POSITION_MASK:
            raise RingMismatch(f"lane {self.slot} was stored up to {position}, past the end of what was pushed")
        if position > self.tail:
            words[first + L_TAIL] = position
            self._finish_count()

    def _finish_count(self) -> None:
        """Set the consumed count to match the tail; only the end of the last read can have been committed (RING-R8)."""
        words, first = self._words, self.first_word
        if words[first + L_TAIL] == words[first + L_READ_TO]:
            words[first + L_CONSUMED] = words[first + L_READ_COUNT]

    def _is_overdue(self, position: int) -> bool:
        """Whether the bytes at `position` had enough time to become a record."""
        now = self._monotonic()
        if self._unverified_at != position:
            self._unverified_at, self._unverified_since = position, now
        return now - self._unverified_since >= layout.VISIBLE_WITHIN_S

    def _count_remaining(self) -> int:
        """Count the records from this read's position to the current head, which becomes the read's head."""
        words, first = self._words, self.first_word
        while True:
            head = words[first + L_HEAD]
            accepted = words[first + L_ACCEPTED]
            if words[first + L_HEAD] == head:  # ends: a push takes longer than these two reads
                self._head = head & POSITION_MASK
                return max(1, layout.accepted_exact(head, accepted) - words[first + L_CONSUMED] - self.passed)
