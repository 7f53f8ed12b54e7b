"""The producer's end of a lane's spill: appends to files, off the hot path. Used by `Producer` only.

As in the ring, its position is read from the shared words (RING-R2, RING-R8): an exception in the middle of an append
leaves what a kill leaves.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress

from xxhash import xxh3_64_intdigest

from bloop.ring import layout, locks, spill
from bloop.ring.layout import L_ACCEPTED, L_FREED, L_HEAD, L_SPILL, L_TAIL, POSITION_MASK
from bloop.ring.mapping import Mapping
from bloop.ring.spill import Spill, SpillFile

log = logging.getLogger(__name__)

_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_HEADROOM = 2  # bytes that must stay free on the disk for each spilled byte: the writer has yet to store it


class SpillWriter:
    """Requires the lane's claim. One file is open at a time, from the first spilled record until all are stored."""

    __slots__ = ("_fd", "_first_word", "_is_refused", "_lane", "_lock", "_mapping", "_spill", "_start", "_words")

    def __init__(self, settings: Spill, mapping: Mapping, lane: int) -> None:
        self._spill, self._mapping, self._lane, self._words = settings, mapping, lane, mapping.words
        self._first_word = mapping.geometry.lane_word(lane) + L_SPILL
        self._lock = layout.LOCK_SPILL_0 + lane
        self._fd, self._start, self._is_refused = -1, 0, False
        words, counted = self._words, self._first_word + L_ACCEPTED
        # The last producer may have died between publishing a record and counting it, or before publishing (RING-R8,
        # RING-R15).
        words[counted] = layout.accepted_exact(words[self._first_word + L_HEAD], words[counted])
        for file in spill.files_of(settings.folder, mapping.ring_id, lane):
            with suppress(FileNotFoundError):  # the consumer removes stored files
                if file.path.stat().st_size > self._head - file.start:
                    os.truncate(file.path, self._head - file.start)

    @property
    def has_unstored(self) -> bool:
        """Whether spilled records are not stored yet, so that later ones must follow them (RING-R14)."""
        return self._head != self._words[self._first_word + L_TAIL]

    @property
    def progress(self) -> int:
        return self._words[self._first_word + L_TAIL]

    def has_room(self, size: int) -> bool:
        """Whether the limits allow a payload of `size`; looks at the disk."""
        need, words, geometry = layout.footprint(size), self._words, self._mapping.geometry
        used = 0
        for first in range(geometry.lane_word(0), geometry.area(0) // 8, layout.LANE_HEAD_BYTES // 8):
            used += (words[first + L_SPILL + L_HEAD] & POSITION_MASK) - words[first + L_SPILL + L_FREED]
        if used + need > self._spill.bytes_max:
            return False
        disk = self._disk()
        return disk.f_bavail * disk.f_frsize >= self._spill.disk_free_bytes_min + _HEADROOM * (used + need)

    def append(self, form: int, payload: bytes) -> bool:
        """Write one record behind the others and publish it; False when there is no room, or the write fails."""
        try:
            is_written = self._append(form, payload)
        except OSError as error:
            if not self._is_refused:
                message = "cannot spill to %s: %s"
                log.error(message, self._spill.folder, error, extra={"action": "spill_failed"})
            self._is_refused = True
            return False
        self._is_refused = self._is_refused and not is_written
        return is_written

    def close(self) -> None:
        """Close the file; harmless when called again."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    @property
    def _head(self) -> int:
        return self._words[self._first_word + L_HEAD] & POSITION_MASK

    def _append(self, form: int, payload: bytes) -> bool:
        if not self.has_room(len(payload)):
            return False
        if self._fd >= 0 and (not self.has_unstored or self._head - self._start >= self._spill.file_bytes):
            self._end_file()
        if self._fd < 0:
            self._begin_file()
            return self._write(form, payload)  # no consumer removes a file that starts at head
        if not locks.try_lock(self._mapping.fd, self._lock):  # the consumer is removing it (RING-R16)
            self._end_file()
            return self._append(form, payload)
        try:
            if not self.has_unstored:  # it may have been removed since we looked
                self._end_file()
                self._begin_file()
            return self._write(form, payload)
        finally:
            locks.unlock(self._mapping.fd, self._lock)

    def _disk(self) -> os.statvfs_result:
        try:
            return os.statvfs(self._spill.folder)
        except FileNotFoundError:
            self._spill.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.statvfs(self._spill.folder)

    def _begin_file(self) -> None:
        head, counted = self._head, self._words[self._first_word + L_ACCEPTED]
        file = SpillFile.named(self._spill.folder, self._mapping.ring_id, self._lane, head, counted)
        self._fd, self._start = os.open(file.path, _FILE_FLAGS, 0o600), head

    def _end_file(self) -> None:
        """Bytes of a write that failed half way must not follow the last record (RING-R15)."""
        os.ftruncate(self._fd, self._head - self._start)
        self.close()

    def _write(self, form: int, payload: bytes) -> bool:
        words, size = self._words, len(payload)
        head = words[self._first_word + L_HEAD]
        position = head & POSITION_MASK
        need = layout.footprint(size)
        checksum = (
            xxh3_64_intdigest(payload) ^ (size | form << 32) ^ spill.checksum_salt(self._mapping.ring_id, position)
        )
        parts = (layout.RECORD.pack(size, form, checksum), payload, bytes(need - size - layout.RECORD.size))
        if os.pwritev(self._fd, parts, position - self._start) != need:
            os.ftruncate(self._fd, position - self._start)
            return False
        words[self._first_word + L_HEAD] = position + need | (head + 1) & 7  # published from here on, and counted
        words[self._first_word + L_ACCEPTED] += 1
        return True
