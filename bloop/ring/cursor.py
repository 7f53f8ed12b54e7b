"""The consumer's place in one stream of records, a lane or its spill: the words both have, and what moves them.

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
    """What one `read` found. `positions` covers `records` and `torn`, for the streams that moved.

    A stream is known by its slot: a lane's own number, SPILL_SLOT_0 more for its spill, ORPHAN_SLOT_0 and on for what
    rings that are gone have left on the disk.
    """

    records: list[tuple[int, bytes, int]] = field(default_factory=list)  # form, payload, lane or slot of an orphan
    positions: dict[int, int] = field(default_factory=dict)  # slot -> position after these records
    bytes: int = 0  # of payload
    torn: int = 0  # records given up because they do not verify (R4, R17)
    full: bool = False  # a limit ended it: read again before waiting
    passed: dict[int, int] = field(default_factory=dict)  # slot -> records and torn records; for `release`


class Cursor:
    """Where the current read stands in a stream: `position`, and what it has `passed` since the tail."""

    __slots__ = ("_doubted_at", "_doubted_since", "_head", "_monotonic", "_seen", "_words", "first_word", "passed",
                 "position", "slot")  # fmt: skip

    def __init__(self, words: memoryview, first_word: int, slot: int, monotonic: Callable[[], float]) -> None:
        self._words, self.first_word, self.slot, self._monotonic = words, first_word, slot, monotonic
        self._doubted_at, self._doubted_since = -1, 0.0
        head_word = words[first_word + L_HEAD]
        self._head = head_word & POSITION_MASK
        self.position, self.passed = self.tail, 0
        self._seen = head_word if self._head == self.tail else -1  # what waits from before us is news
        self._finish_count()  # our predecessor may have died in a release

    @property
    def tail(self) -> int:
        """Everything before it is released."""
        return self._words[self.first_word + L_TAIL]

    @property
    def waits(self) -> bool:
        """Whether this read has not come to the end of the stream."""
        return self.position < self._head

    @property
    def waiting_bytes(self) -> int:
        """From the tail to the head of this moment."""
        return (self._words[self.first_word + L_HEAD] & POSITION_MASK) - self.tail

    def has_news(self) -> bool:
        """Whether anything was published since the last `rewind`."""
        return self._words[self.first_word + L_HEAD] != self._seen

    def rewind(self) -> None:
        """Start a read: from the tail, up to the head of this moment."""
        self._seen = self._words[self.first_word + L_HEAD]
        self._head, self.position, self.passed = self._seen & POSITION_MASK, self.tail, 0

    def announce(self, batch: Batch) -> None:
        """If this read moved on, say so in the batch, and note where it leaves the stream for our successor (R8)."""
        if self.position == self.tail:
            return
        batch.positions[self.slot], batch.passed[self.slot] = self.position, self.passed
        words, first = self._words, self.first_word
        words[first + L_READ_TO] = self.position  # first: from here on the pair cannot match the tail by accident
        words[first + L_READ_COUNT] = words[first + L_CONSUMED] + self.passed

    def release(self, position: int, passed: int) -> None:
        """Move the tail; what is before it may be overwritten or removed from now on (R6)."""
        words, first = self._words, self.first_word
        assert self.tail <= position <= words[first + L_HEAD] & POSITION_MASK, "released twice, or not ours"
        words[first + L_TAIL] = position
        words[first + L_CONSUMED] += passed

    def resume(self, position: int) -> None:
        """Move the tail to a position that was committed but not released; RingMismatch when nothing reaches there."""
        words, first = self._words, self.first_word
        if position > words[first + L_HEAD] & POSITION_MASK:
            raise RingMismatch(f"lane {self.slot} was stored up to {position}, past the end of what was pushed")
        if position > self.tail:
            words[first + L_TAIL] = position
            self._finish_count()

    def _finish_count(self) -> None:
        """Let the consumed count follow the tail; only where the last read ended can have been committed (R8)."""
        words, first = self._words, self.first_word
        if words[first + L_TAIL] == words[first + L_READ_TO]:
            words[first + L_CONSUMED] = words[first + L_READ_COUNT]

    def _overdue(self, position: int) -> bool:
        """Whether what is at `position` had time enough to become a record."""
        now = self._monotonic()
        if self._doubted_at != position:
            self._doubted_at, self._doubted_since = position, now
        return now - self._doubted_since >= layout.VISIBLE_WITHIN_S

    def _left(self) -> int:
        """Records from this read's position up to a head of this moment, which becomes the read's head."""
        words, first = self._words, self.first_word
        while True:
            head = words[first + L_HEAD]
            accepted = words[first + L_ACCEPTED]
            if words[first + L_HEAD] == head:  # ends: a push takes longer than these two reads
                self._head = head & POSITION_MASK
                return max(1, layout.accepted_exact(head, accepted) - words[first + L_CONSUMED] - self.passed)
