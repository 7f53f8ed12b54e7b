"""The ring's writing end: one lane, one process, one thread at a time.

`push` keeps no state of its own between calls: its position is read from the shared head word. An exception raised in
the middle (say, by a signal handler that exits) therefore leaves what a kill leaves: nothing, or a whole record
(RING-R2, RING-R8). While the lane is full, `push` waits a little (`patience`), then writes the record to the lane's
spill (`spill`); both are off the hot path, which knows of them only through `_limit`.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from xxhash import xxh3_64_intdigest

from bloop.base.errors import LaneUnavailable, RingError, RingMismatch
from bloop.ring import layout
from bloop.ring.backoff import Patience
from bloop.ring.layout import POSITION_MASK, W_ASLEEP
from bloop.ring.mapping import CLOSED, Mapping
from bloop.ring.segment import Segment, WriterState
from bloop.ring.spill import Spill
from bloop.ring.spill_writer import SpillWriter

_pack_header_into = layout.RECORD.pack_into


class Producer:
    """Owner of one lane. Claim it after the fork: a forked child's copy is closed.

    Not for several threads at once; a process with threads puts a lock around it. After `close` every call raises
    ValueError, like a closed file.
    """

    __slots__ = (
        "_accepted_word",
        "_area",
        "_area_start",
        "_cells",
        "_first_word",
        "_head_word",
        "_lane_bytes",
        "_limit",
        "_mapping",
        "_next_cell",
        "_patience",
        "_payload_bytes_max",
        "_rung_sleep",
        "_spill",
        "_tail_word",
        "_words",
        "lane",
    )

    @classmethod
    def claim(cls, segment: Segment, spill: Spill | None = None, patience: Patience | None = None) -> Producer:
        """Take the lowest free lane; while it is full, records go to `spill`, or are refused without one.

        Raises:
            LaneUnavailable: all lanes are taken.
            RingMismatch: the lane is damaged, or the ring is of an older layout.
            RingError: the spill's folder cannot be used.
        """
        producer, mapping = cls(patience), segment.shared()
        if (version := mapping.geometry.version) is not layout.CURRENT:
            raise RingMismatch(f"ring {segment.name} has layout version {version.number}: it is only read")
        for lane in range(segment.lane_count):
            if mapping.claim(layout.LOCK_LANE_0 + lane, producer):
                producer._take_over(mapping, lane, spill)
                return producer
        raise LaneUnavailable(f"all {segment.lane_count} lanes of ring {segment.name} are taken")

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self.lane = -1
        self._mapping: Mapping | None = None
        self._words = CLOSED
        self._cells: dict[int, int] = {}
        self._spill: SpillWriter | None = None

    def _take_over(self, mapping: Mapping, lane: int, spill: Spill | None) -> None:
        words, first = mapping.words, mapping.geometry.lane_word(lane)
        head, tail = words[first + layout.L_HEAD], words[first + layout.L_TAIL]
        self._mapping, self.lane, self._first_word = mapping, lane, first
        if not 0 <= (head & POSITION_MASK) - tail <= mapping.geometry.lane_bytes:
            self.close()
            raise RingMismatch(f"lane {lane} of ring {mapping.name} is damaged: head {head}, tail {tail}")
        if spill is not None:
            try:
                self._spill = SpillWriter(spill, mapping, lane)
            except OSError as error:
                self.close()
                raise RingError(f"cannot use the folder {spill.folder}: {error.strerror}") from error
        self._head_word, self._tail_word = first + layout.L_HEAD, first + layout.L_TAIL
        self._accepted_word = first + layout.L_ACCEPTED
        self._lane_bytes = mapping.geometry.lane_bytes
        self._payload_bytes_max = layout.payload_bytes_max(self._lane_bytes)
        self._area, self._area_start = mapping.area, mapping.geometry.area(lane)
        self._limit = 0  # the first push reads the tail
        self._rung_sleep = 0
        # The last producer may have died between publishing a record and counting it (RING-R8).
        words[self._accepted_word] = layout.accepted_exact(head, words[self._accepted_word])
        words[first + layout.L_PRODUCER_PID] = os.getpid()
        self._words = words
        self._load_cells()

    def push(self, form: int, payload: bytes) -> bool:
        """Append one record; False when there is no room: the lane counts that, the caller counts it by project.

        `form` is any u32. ValueError for a payload past `Segment.payload_bytes_max`: callers limit bodies before this.
        """
        size = len(payload)
        words = self._words
        head = words[self._head_word]
        position = head & POSITION_MASK
        need = (size + 23) & -8  # layout.footprint, inlined: this is the hot path
        lane_bytes = self._lane_bytes
        offset = position % lane_bytes
        rest = lane_bytes - offset
        wraps = need > rest
        end = position + rest + need if wraps else position + need
        if (end > self._limit or size > self._payload_bytes_max) and not self._has_room(end, size):
            return self._overflow(form, payload)
        start = self._area_start
        if wraps:
            words[(start + offset) >> 3] = layout.wrap_marker(position, lane_bytes)
            position += rest
            offset = 0
        start += offset
        checksum = xxh3_64_intdigest(payload) ^ (size | form << 32) ^ position
        _pack_header_into(self._area, start, size, form, checksum)
        start += 16
        self._area[start : start + size] = payload
        words[self._head_word] = end | (head + 1) & 7  # published from here on (RING-R2), and counted (RING-R8)
        words[self._accepted_word] += 1
        asleep = words[W_ASLEEP]
        if asleep and asleep != self._rung_sleep:
            self._ring(asleep)
        return True

    def count(self, project_id: int, category: int, outcome: int, n: int = 1) -> None:
        """Add `n` to the count of one outcome of a project's records in this lane; a kill right after loses nothing.

        `project_id` 0 stands for no project. `category` is 0 to 15, `outcome` 1 to 31. When the lane's table is full, a
        project that is not in it yet is counted under project 0, its category and outcome kept.
        """
        index = self._cells.get(project_id << 16 | category << 8 | outcome)  # layout.cell_key, inlined
        if index is None:
            index = self._new_cell(project_id, category, outcome)
        self._words[index] += n

    def add_meters(self, added: dict[int, int]) -> None:
        """Add to the lane's meters, each named by its place in them."""
        first = self._first_word + layout.L_METERS
        for place, value in added.items():
            self._words[first + place] += value

    def close(self) -> None:
        """Release the lane; its records stay. Harmless when called again."""
        if self._mapping is not None:
            mapping, lane = self._mapping, self.lane
            mapping.words[self._first_word + layout.L_PRODUCER_PID] = 0
            self.disown()
            mapping.release_claim(layout.LOCK_LANE_0 + lane)

    def disown(self) -> None:
        """Stop working without touching the lane: it belongs to another process (see `mapping.Claim`)."""
        self._mapping, self._words = None, CLOSED
        self._cells.clear()
        if self._spill is not None:
            self._spill.close()
            self._spill = None

    def _has_room(self, end: int, size: int) -> bool:
        """Off the hot path: look at the tail again, wait a little, or refuse a payload that could never fit."""
        if size > self._payload_bytes_max:
            raise ValueError(f"a payload of {size} bytes; this ring takes {self._payload_bytes_max}")
        if self._spill is not None and self._spill.has_unstored:
            return False  # this record is younger than those (RING-R14)
        words, tail_word, lane_bytes = self._words, self._tail_word, self._lane_bytes
        # Once a lap: exceptions between publishing and counting add up to less than eight (RING-R8).
        words[self._accepted_word] = layout.accepted_exact(words[self._head_word], words[self._accepted_word])
        has_room = words[tail_word] + lane_bytes >= end or self._wait(
            lambda: words[tail_word] + lane_bytes >= end, lambda: words[tail_word]
        )
        self._limit = words[tail_word] + lane_bytes
        return has_room

    def _overflow(self, form: int, payload: bytes) -> bool:
        """The lane has no room: spill the record, or count it as dropped."""
        spill = self._spill
        if spill is not None and (
            spill.append(form, payload)
            or (
                self._wait(lambda: spill.has_room(len(payload)), lambda: spill.progress) and spill.append(form, payload)
            )
        ):
            self._limit = 0  # read the tail again before the next push
            asleep = self._words[W_ASLEEP]
            if asleep and asleep != self._rung_sleep:
                self._ring(asleep)
            return True
        self._words[self._first_word + layout.L_DROPPED] += 1
        return False

    def _wait(self, done: Callable[[], bool], progress: Callable[[], int]) -> bool:
        """Wait for `done` while the writer is running; False at once otherwise (PATIENCE-2)."""
        return self._words[layout.W_STATE] == WriterState.RUNNING and self._patience.wait_until(done, progress)

    def _ring(self, asleep: int) -> None:
        assert self._mapping is not None
        self._rung_sleep = asleep  # at most one post per sleep (RING-R11); only the consumer clears its word
        self._mapping.bell.release()

    def _load_cells(self) -> None:
        words, first = self._words, self._first_word
        for category in range(layout.CATEGORY_MAX + 1):
            row = first + layout.L_PROJECT_0 + category * (layout.OUTCOME_MAX + 1)
            for outcome in range(1, layout.OUTCOME_MAX + 1):
                self._cells[layout.cell_key(0, category, outcome)] = row + outcome
        index, end = first + layout.L_CELLS, first + layout.LANE_HEAD_BYTES // 8
        while index < end and words[index]:
            self._cells[words[index]] = index + 1
            index += 2
        self._next_cell = index

    def _new_cell(self, project_id: int, category: int, outcome: int) -> int:
        """The index of a new count. The key goes in first: a key without a count is harmless, the reverse is not."""
        if not (
            0 <= project_id <= layout.PROJECT_MAX
            and 0 <= category <= layout.CATEGORY_MAX
            and 1 <= outcome <= layout.OUTCOME_MAX
        ):
            raise ValueError(f"cannot count outcome {outcome} of category {category} and project {project_id}")
        words, key, index = self._words, layout.cell_key(project_id, category, outcome), self._next_cell
        if index == self._first_word + layout.LANE_HEAD_BYTES // 8:
            self._cells[key] = self._cells[layout.cell_key(0, category, outcome)]
        else:
            words[index] = key
            self._cells[key] = index + 1
            self._next_cell = index + 2
        return self._cells[key]
