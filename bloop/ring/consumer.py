"""The ring's reading end: one process, one thread, all lanes.

The order is read, COMMIT (with `Batch.positions` in the same transaction), release. Reading again without a release
gives the same records again, so a failed COMMIT needs nothing undone. After a crash, `resume` skips what was
committed but not released (RING-R6).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import posix_ipc

from bloop.base.errors import LaneUnavailable
from bloop.ring import layout, segment, spill
from bloop.ring.cursor import Batch, Cursor
from bloop.ring.lane_reader import LaneReader
from bloop.ring.mapping import CLOSED
from bloop.ring.mapping import Mapping as RingMapping
from bloop.ring.segment import Segment, WriterState
from bloop.ring.spill_reader import Orphan, SpillReader, list_orphans


class Cell(NamedTuple):
    """A count since the ring was made. Only its difference to the last booked count of (ring_id, lane, key) is new."""

    lane: int
    project_id: int
    category: int
    outcome: int
    value: int


class Consumer:
    """The only reader of a ring; claim it after the fork. After `close` every call raises ValueError, as on a file."""

    __slots__ = ("_backlog", "_cursors", "_mapping", "_orphans", "_readers", "_turn", "_words")

    @classmethod
    def claim(
        cls, ring: Segment, spill_folder: Path | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> Consumer:
        """Take the consumer's place; LaneUnavailable while a live process has it.

        `spill_folder` is where this ring's lanes spill, and where older rings may have left files (RING-R18).
        """
        consumer, shared = cls(), ring.shared()
        if not shared.claim(layout.LOCK_CONSUMER, consumer):
            raise LaneUnavailable(f"another process is reading ring {ring.name}")
        consumer._mapping, consumer._words = shared, shared.words
        try:
            for index in range(ring.lane_count):
                spilled = SpillReader.of_lane(shared, index, spill_folder, monotonic) if spill_folder else None
                consumer._readers.append(LaneReader(shared, index, spilled, monotonic))
            if spill_folder:
                consumer._orphans = {
                    orphan: SpillReader.of_orphan(orphan, spill_folder, monotonic)
                    for orphan in list_orphans(spill_folder, ring.ring_id)
                }
            consumer._cursors = {cursor.slot: cursor for cursor in (*consumer._readers, *consumer._spills())}
        except BaseException:
            consumer.close()
            raise
        shared.words[layout.W_CONSUMER_PID] = os.getpid()
        consumer._mark_awake()
        return consumer

    def __init__(self) -> None:
        self._mapping: RingMapping | None = None
        self._words = CLOSED
        self._readers: list[LaneReader] = []
        self._orphans: dict[Orphan, SpillReader] = {}
        self._cursors: dict[int, Cursor] = {}
        self._turn = 0
        self._backlog = False

    def resume(self, positions: Mapping[int, int]) -> None:
        """Skip records that were committed but not released: tails move forward to `positions`, never back.

        Call it before the first read. RingMismatch when a position is past its lane's head: it belongs to another ring.
        """
        for slot, position in positions.items():
            if slot in self._cursors:  # spills are read only where their folder is known
                self._cursors[slot].resume(position)
        self.tidy()

    @property
    def orphans(self) -> list[Orphan]:
        """Spills of rings that no longer exist, until `finished_orphans` returns them."""
        return list(self._orphans)

    def finished_orphans(self) -> list[Orphan]:
        """Orphans that are released completely: their files are gone for good, stored positions can be deleted."""
        finished = [orphan for orphan, reader in self._orphans.items() if not reader.waiting_bytes]
        for orphan in finished:
            reader = self._orphans.pop(orphan)
            del self._cursors[orphan.slot]
            reader.tidy()
            spill.sync_folder(reader.folder)
            reader.close()
        return finished

    def tidy(self) -> None:
        """Remove spilled files that are stored. `release` does that too, unless a producer holds the lock just then."""
        for reader in self._spills():
            reader.tidy()

    def read(self, records_max: int, bytes_max: int) -> Batch:
        """Read waiting records, lanes taking turns, oldest first within a lane; at least one, whatever its size."""
        assert records_max > 0
        batch, lanes = Batch(), self._lanes
        sources: list[LaneReader | SpillReader] = [*lanes, *self._orphans.values()]
        for source in sources:
            source.rewind()
        self._turn = (self._turn + 1) % len(sources)
        waiting = sources[self._turn :] + sources[: self._turn]
        while waiting and not batch.full:
            waiting = [s for s in waiting if not batch.full and s.read_turn(batch, records_max, bytes_max)]
        for cursor in self._cursors.values():
            cursor.announce(batch)
        self._backlog = False
        return batch

    def release(self, batch: Batch) -> None:
        """Free the batch's bytes for the producers; only after the COMMIT that stored `batch.positions`."""
        self._lanes  # noqa: B018 - ValueError when closed
        for slot, position in batch.positions.items():
            self._cursors[slot].release(position, batch.passed[slot])
        self._backlog = batch.full

    def cells(self) -> list[Cell]:
        """Every count that is not zero. Read them before COMMIT and book the differences in the same transaction."""
        return [Cell(lane.index, *count) for lane in self._lanes for count in lane.counts()]

    def pending(self) -> int:
        """Waiting records, those of an unreleased batch included; looks at a few words per lane, reads no record.

        The number of records in an orphan is unknown: it counts as one.
        """
        known = sum(segment.pending(self._words, lane.first_word) for lane in self._lanes)
        return known + sum(1 for reader in self._orphans.values() if reader.waiting_bytes)

    def fullest(self) -> float:
        """How full the fullest lane is, 0.0 to 1.0, 1.0 while a spill waits; looks at a few words, reads no record."""
        return 1.0 if self._orphans else max(lane.fill() for lane in self._lanes)

    def wait(self, timeout_s: float) -> bool:
        """Sleep until something is pushed that the last `read` did not see; False after `timeout_s`, or on a signal.

        Returns at once after a released batch that was `full`. A batch that could not be stored does not end the
        wait, so a caller may back off with it.
        """
        if self._backlog:
            self._backlog = False
            return True
        words = self._words
        words[layout.W_ASLEEP] = time.monotonic_ns() or 1
        try:
            # Two looks, not one. A producer that published before it could see us asleep does not ring, and its head
            # may not be visible to us at once either, because neither side has a memory fence. The second look sees it
            # (RING-R11).
            return (
                self._has_news()
                or self._wait_for_bell(min(layout.LOOK_AGAIN_S, timeout_s))
                or self._has_news()
                or self._wait_for_bell(timeout_s - layout.LOOK_AGAIN_S)
                or self._has_news()
            )
        except posix_ipc.SignalError:
            return False
        finally:
            self._mark_awake()

    def heartbeat(self, now_ms: int, state: WriterState) -> None:
        """Show that the writer is alive and what it is doing."""
        self._words[layout.W_STATE] = state
        self._words[layout.W_HEARTBEAT] = now_ms

    def add_meters(self, added: Mapping[int, int]) -> None:
        """Add to the consumer's meters, each named by its place in them."""
        for place, value in added.items():
            self._words[layout.W_METERS + place] += value

    def close(self) -> None:
        """Release the consumer's place; tails stay where they are. Harmless when called again."""
        if self._mapping is not None:
            shared = self._mapping
            self._mark_awake()
            shared.words[layout.W_CONSUMER_PID] = 0
            self.disown()
            shared.release_claim(layout.LOCK_CONSUMER)

    def disown(self) -> None:
        """Stop working without touching the ring: it belongs to another process (see `mapping.Claim`)."""
        self._mapping, self._words, self._backlog = None, CLOSED, False
        for reader in self._spills():
            reader.close()

    def _spills(self) -> list[SpillReader]:
        return [lane.spill for lane in self._readers if lane.spill is not None] + [*self._orphans.values()]

    @property
    def _lanes(self) -> list[LaneReader]:
        if self._mapping is None:
            raise ValueError("this consumer is closed, or was claimed by the process we were forked from")
        return self._readers

    def _has_news(self) -> bool:
        return any(lane.has_news() for lane in self._lanes)

    def _wait_for_bell(self, timeout_s: float) -> bool:
        if timeout_s <= 0:
            return False
        assert self._mapping is not None
        try:
            self._mapping.bell.acquire(timeout_s)
        except posix_ipc.BusyError:
            return False
        return True

    def _mark_awake(self) -> None:
        """Tell the producers not to ring, and take back what they rang already: one post each at most."""
        assert self._mapping is not None
        self._words[layout.W_ASLEEP] = 0
        try:
            while True:
                self._mapping.bell.acquire(0)
        except (posix_ipc.BusyError, posix_ipc.SignalError):
            pass
