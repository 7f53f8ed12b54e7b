"""The consumer's end of a spill: reads what a lane spilled, and removes files that are stored.

Used by `Consumer` only, in its process and thread, holding the consumer's claim.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from bloop.ring import layout, locks, spill
from bloop.ring.cursor import TURN_RECORDS, Batch, Cursor
from bloop.ring.layout import L_CONSUMED, L_FREED, L_HEAD, L_SPILL, L_TAIL, POSITION_MASK
from bloop.ring.mapping import Mapping
from bloop.ring.spill import ORPHAN_SLOT_0, SPILL_SLOT_0, SpillFile

log = logging.getLogger(__name__)

_READ_BYTES = 256 * 1024


class Orphan(NamedTuple):
    """A spill of a ring that no longer exists. Its positions were stored under `ring_id` and `spill_slot`."""

    slot: int
    ring_id: int
    lane: int

    @property
    def spill_slot(self) -> int:
        return SPILL_SLOT_0 + self.lane


def list_orphans(folder: Path, ring_id: int) -> list[Orphan]:
    """The spills of every ring but this one."""
    lanes = sorted({(file.ring_id, file.lane) for file in spill.files(folder) if file.ring_id != ring_id})
    return [Orphan(slot, *ring_lane) for slot, ring_lane in enumerate(lanes, ORPHAN_SLOT_0)]


class SpillReader(Cursor):
    """Where the current read stands in one lane's spill, the ring's own or an orphan."""

    __slots__ = ("_buffer", "_buffer_at", "_fd", "_file", "_files", "_lane", "_lock_fd", "_ring_id", "folder")

    @classmethod
    def of_lane(cls, mapping: Mapping, lane: int, folder: Path, monotonic: Callable[[], float]) -> SpillReader:
        first_word = mapping.geometry.lane_word(lane) + L_SPILL
        files = spill.files_of(folder, mapping.ring_id, lane)
        reader = cls(mapping.words, first_word, SPILL_SLOT_0 + lane, monotonic, folder, mapping.ring_id, lane, files)
        reader._lock_fd = mapping.fd
        return reader

    @classmethod
    def of_orphan(cls, orphan: Orphan, folder: Path, monotonic: Callable[[], float]) -> SpillReader:
        """Its words are in this process only: from the first file's start to the end of the last one (RING-R18)."""
        files = spill.files_of(folder, orphan.ring_id, orphan.lane)
        words = memoryview(bytearray(layout.L_SPILL * 8)).cast("Q")
        words[L_TAIL] = files[0].start
        words[L_HEAD] = files[-1].start + (files[-1].path.stat().st_size + 7 & POSITION_MASK)
        return cls(words, 0, orphan.slot, monotonic, folder, orphan.ring_id, orphan.lane, files)

    def __init__(
        self,
        words: memoryview,
        first_word: int,
        slot: int,
        monotonic: Callable[[], float],
        folder: Path,
        ring_id: int,
        lane: int,
        files: list[SpillFile],
    ) -> None:
        super().__init__(words, first_word, slot, monotonic)
        self.folder, self._ring_id, self._lane, self._files = folder, ring_id, lane, files
        self._lock_fd = self._fd = -1
        self._file: SpillFile | None = None
        self._buffer, self._buffer_at = b"", 0

    @property
    def is_orphan(self) -> bool:
        return self.slot >= ORPHAN_SLOT_0

    def resume(self, position: int) -> None:
        """As for a lane. An orphan's files may end before the stored position, after a power cut."""
        if self.is_orphan:
            position = min(position, self._words[self.first_word + L_HEAD] & POSITION_MASK)
        super().resume(position)

    def read_turn(self, batch: Batch, records_max: int, bytes_max: int) -> bool:
        """Append up to one turn's records to the batch; True when another turn may find more."""
        turn_end = min(len(batch.records) + TURN_RECORDS, records_max)
        while self.has_more and len(batch.records) < turn_end:
            record = self._read_record(self.position)
            if record is None:
                if not self._is_overdue(self.position):
                    return False
                self._skip_torn(batch)
                continue
            form, payload = record
            if batch.records and batch.bytes + len(payload) > bytes_max:
                batch.full = True
                break
            batch.records.append((form, payload, self.slot if self.is_orphan else self._lane))
            batch.bytes += len(payload)
            self.position += layout.footprint(len(payload))
            self.passed += 1
        batch.full = batch.full or len(batch.records) >= records_max
        return self.has_more

    def release(self, position: int, passed: int) -> None:
        """Move the tail, and remove the files behind it."""
        super().release(position, passed)
        self.tidy()

    def tidy(self) -> None:
        """Remove every file that is stored; the last one only while no producer appends to it (RING-R16)."""
        while len(self._files) > 1 and self._files[1].start <= self.tail:
            self._files.pop(0).remove()
        if (
            self._files
            and not self.waiting_bytes
            and (self.is_orphan or locks.try_lock(self._lock_fd, layout.LOCK_SPILL_0 + self._lane))
        ):
            try:
                if not self.waiting_bytes:
                    self._remove_all()
            finally:
                if not self.is_orphan:
                    locks.unlock(self._lock_fd, layout.LOCK_SPILL_0 + self._lane)
        self._words[self.first_word + L_FREED] = self._files[0].start if self._files else self.tail

    def close(self) -> None:
        """Close the file; harmless when called again."""
        self._buffer, self._file = b"", None
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _remove_all(self) -> None:
        self.close()
        files = spill.files_of(self.folder, self._ring_id, self._lane)
        # A file that starts at the tail is still empty: its producer is about to write to it.
        stored = [file for file in files if file.start < self.tail or self.is_orphan]
        spill.remove(stored)
        self._files = [file for file in files if file not in stored]

    def _read_record(self, position: int) -> tuple[int, bytes] | None:
        """Form and payload of the record at a position, None when none verifies there."""
        at = self._load(position, layout.RECORD.size)
        if at is None:
            return None
        size, form, checksum = layout.RECORD.unpack_from(self._buffer, at)
        at = self._load(position, layout.footprint(size))
        if at is None:
            return None
        payload = self._buffer[at + layout.RECORD.size : at + layout.RECORD.size + size]
        bound = (size | form << 32) ^ spill.checksum_salt(self._ring_id, position)
        return (form, payload) if xxh3_64_intdigest(payload) ^ bound == checksum else None

    def _load(self, position: int, size: int) -> int | None:
        """Buffer `size` bytes from `position` and return their index in the buffer; None when head comes earlier."""
        if position + size > self._head:
            return None
        if not self._buffer_at <= position <= position + size <= self._buffer_at + len(self._buffer):
            self._buffer, self._buffer_at = self._read(position, min(max(size, _READ_BYTES), self._head - position))
            if len(self._buffer) < size:
                return None
        return position - self._buffer_at

    def _read(self, position: int, size: int) -> tuple[bytes, int]:
        """Up to `size` bytes of one file, and where they start; none when the file is missing or unreadable."""
        data = self._pread(position, size)
        if not data and not self.is_orphan:  # the producer has begun another file
            self._files = spill.files_of(self.folder, self._ring_id, self._lane)
            data = self._pread(position, size)
        return data, position

    def _pread(self, position: int, size: int) -> bytes:
        file = max((file for file in self._files if file.start <= position), default=None)
        if file is None:
            return b""
        following = self._following(position)
        try:
            if file != self._file:
                self.close()
                self._fd, self._file = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC), file
            end = position + size if following is None else min(position + size, following.start)
            return os.pread(self._fd, end - position, position - file.start)
        except OSError as error:
            log.error("cannot read %s: %s", file.path, error, extra={"action": "spill_unreadable"})
            return b""

    def _following(self, position: int) -> SpillFile | None:
        return min((file for file in self._files if file.start > position), default=None)

    def _skip_torn(self, batch: Batch) -> None:
        """Give up the bytes at this position, up to the next known start of a record (RING-R17)."""
        position = self.position
        at = self._load(position, layout.RECORD.size)
        behind = position + (layout.footprint(layout.RECORD.unpack_from(self._buffer, at)[0]) if at is not None else 0)
        following = self._following(position)
        if behind > position and self._read_record(behind):
            lost, self.position = 1, behind
        elif following is not None and following.start <= self._head:
            known = following.records - self._words[self.first_word + L_CONSUMED] - self.passed
            lost, self.position = max(1, known), following.start
        else:
            lost = self._count_remaining()
            self.position = self._head
        self.passed += lost
        batch.torn += lost
        log.error("gave up %d records of lane %d", lost, self._lane, extra={"action": "spill_torn"})
