"""The ring's reading end: one process, one thread, all lanes.

The order is read, COMMIT (with `Batch.positions` in the same transaction), release. Reading again without a release
gives the same records again, so a failed COMMIT needs nothing undone. After a crash, `resume` skips what was
committed but not released (R6).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import posix_ipc

from bloop.errors import LaneUnavailable
from bloop.ring import layout, segment
from bloop.ring.lane_reader import Batch, LaneReader
from bloop.ring.layout import L_CELLS, L_PROJECT_0
from bloop.ring.mapping import CLOSED
from bloop.ring.mapping import Mapping as RingMapping
from bloop.ring.segment import Segment, WriterState


class Cell(NamedTuple):
    """A count since the ring was made. The difference to what was last booked for (ring_id, lane, key) is new."""

    lane: int
    project_id: int
    outcome: int
    value: int


class Consumer:
    """The one reader of a ring; claim it after the fork. After `close` every call raises ValueError, as on a file."""

    __slots__ = ("_backlog", "_mapping", "_readers", "_turn", "_words")

    @classmethod
    def claim(cls, ring: Segment, *, monotonic: Callable[[], float] = time.monotonic) -> Consumer:
        """Take the consumer's place; LaneUnavailable while a live process has it."""
        consumer, shared = cls(), ring.shared()
        if not shared.claim(layout.LOCK_CONSUMER, consumer):
            raise LaneUnavailable(f"another process is reading ring {ring.name}")
        consumer._mapping, consumer._words = shared, shared.words
        try:
            consumer._readers = [LaneReader(shared, index, monotonic) for index in range(ring.lane_count)]
        except BaseException:
            consumer.close()
            raise
        shared.words[layout.W_CONSUMER_PID] = os.getpid()
        consumer._wake()
        return consumer

    def __init__(self) -> None:
        self._mapping: RingMapping | None = None
        self._words = CLOSED
        self._readers: list[LaneReader] = []
        self._turn = 0
        self._backlog = False

    def resume(self, positions: Mapping[int, int]) -> None:
        """Skip what an earlier consumer committed but did not release: tails move forward to `positions`, never back.

        Call it before the first read. RingMismatch when a position is past its lane's head: it is not of this ring.
        """
        for index, position in positions.items():
            self._lanes[index].resume(position)

    def read(self, records_max: int, bytes_max: int) -> Batch:
        """What waits, lanes taking turns, oldest first within a lane; always one record, whatever its size."""
        assert records_max > 0
        batch, lanes = Batch(), self._lanes
        for lane in lanes:
            lane.rewind()
        self._turn = (self._turn + 1) % len(lanes)
        waiting = lanes[self._turn :] + lanes[: self._turn]
        while waiting and not batch.full:
            waiting = [lane for lane in waiting if not batch.full and lane.read_turn(batch, records_max, bytes_max)]
        for lane in lanes:
            if lane.position != lane.tail:
                batch.positions[lane.index], batch.passed[lane.index] = lane.position, lane.passed
                lane.announce()
        self._backlog = False
        return batch

    def release(self, batch: Batch) -> None:
        """Give the batch's bytes back to the producers; only after the COMMIT that stored `batch.positions`."""
        for index, position in batch.positions.items():
            self._lanes[index].release(position, batch.passed[index])
        self._backlog = batch.full

    def cells(self) -> list[Cell]:
        """Every count that is not zero. Read them before COMMIT and book the differences in the same transaction."""
        found, words = [], self._words
        for lane in self._lanes:
            start = lane.first_word
            table = words[start + L_PROJECT_0 : start + L_CELLS].tolist()
            found += [Cell(lane.index, 0, outcome, value) for outcome, value in enumerate(table) if value]
            cells = words[start + L_CELLS : start + layout.LANE_HEAD_BYTES // 8].tolist()
            for key, value in zip(cells[::2], cells[1::2], strict=True):
                if key == 0:
                    break
                if value:
                    found.append(Cell(lane.index, key >> 8, key & 0xFF, value))
        return found

    def pending(self) -> int:
        """Records that wait, those of an unreleased batch included; two words per lane, nothing is read."""
        return sum(segment.pending(self._words, lane.first_word) for lane in self._lanes)

    def fullest(self) -> float:
        """How full the fullest lane is, 0.0 to 1.0; two words per lane, nothing is read."""
        return max(lane.fill() for lane in self._lanes)

    def wait(self, timeout_s: float) -> bool:
        """Sleep until something is pushed that the last `read` did not see; False after `timeout_s`, or on a signal.

        Returns at once after a released batch that was `full`. A batch that is kept because it could not be stored does
        not wake us by itself, so backing off with this is safe.
        """
        if self._backlog:
            self._backlog = False
            return True
        words = self._words
        words[layout.W_ASLEEP] = time.monotonic_ns() or 1
        try:
            # Two looks, not one. A producer that published before it could see us asleep does not ring, and we may not
            # see its head at once either, because neither side has a memory fence. The second look does (R11).
            return (
                self._news()
                or self._listen(min(layout.LOOK_AGAIN_S, timeout_s))
                or self._news()
                or self._listen(timeout_s - layout.LOOK_AGAIN_S)
                or self._news()
            )
        except posix_ipc.SignalError:
            return False
        finally:
            self._wake()

    def heartbeat(self, now_ms: int, state: WriterState) -> None:
        """Say that the writer lives and what it is doing."""
        self._words[layout.W_STATE] = state
        self._words[layout.W_HEARTBEAT] = now_ms

    def close(self) -> None:
        """Give the place back; tails stay where they are. Harmless when called again."""
        if self._mapping is not None:
            shared = self._mapping
            self._wake()
            shared.words[layout.W_CONSUMER_PID] = 0
            self.disown()
            shared.give_back(layout.LOCK_CONSUMER)

    def disown(self) -> None:
        """Stop working without touching the ring: it belongs to another process (see `mapping.Claim`)."""
        self._mapping, self._words, self._backlog = None, CLOSED, False

    @property
    def _lanes(self) -> list[LaneReader]:
        if self._mapping is None:
            raise ValueError("this consumer is closed, or was claimed by the process we were forked from")
        return self._readers

    def _news(self) -> bool:
        return any(lane.has_news() for lane in self._lanes)

    def _listen(self, timeout_s: float) -> bool:
        if timeout_s <= 0:
            return False
        assert self._mapping is not None
        try:
            self._mapping.bell.acquire(timeout_s)
        except posix_ipc.BusyError:
            return False
        return True

    def _wake(self) -> None:
        """Tell the producers that nobody has to ring, and take back what they rang already: one post each at most."""
        assert self._mapping is not None
        self._words[layout.W_ASLEEP] = 0
        try:
            while True:
                self._mapping.bell.acquire(0)
        except (posix_ipc.BusyError, posix_ipc.SignalError):
            pass
