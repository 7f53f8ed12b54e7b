"""A ring of layout 1 and what it spills, as the releases that wrote them did: for tests of what an upgrade finds.

Frozen. It shares nothing with `bloop.ring` but the checksum's function, so it goes on writing layout 1 whatever bloop
writes by then; `test_layout_1.py` holds it to the bytes of the last commit whose own producer did.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

import msgspec
from xxhash import xxh3_64_intdigest

MAGIC, VERSION = int.from_bytes(b"bloopRNG", "little"), 1
HEADER_BYTES, LANE_HEAD_BYTES = 4096, 9216
RING_ID, LANE_COUNT, LANE_BYTES, LANE_HEAD, GENERATION = 2, 3, 4, 5, 8
HEAD, ACCEPTED, TAIL, CONSUMED, READ_TO, READ_COUNT = 0, 1, 8, 9, 10, 11
SPILL, PROJECT_0, CELLS = 16, 32, 192
RECORD = struct.Struct("=IHHQ")  # size, kind, flags, checksum
WRAP = 0xFFFF_FFFF
SPILL_FILE_BYTES = 1 << 20

ERROR, TRACE_UPDATE, REJECTION = 1, 6, 7

encode = msgspec.msgpack.encode


def error(project_id: int, received_at_ms: int, request_id: str, *, message: str = "boom") -> bytes:
    """The payload of an event: an array of five, the last of them the event's seventeen fields."""
    event = [received_at_ms, "api", "production", "1.0.0", "TypeError", message, "x" * 400, None, None, None]
    event += [request_id, None, None, None, None, None, "error"]
    return encode([project_id, received_at_ms, "aa", "v1", event])


def rejection(project_id: int, rejected_at_ms: int, outcome: int) -> bytes:
    """The payload of a note about a refusal."""
    return encode([project_id, rejected_at_ms, outcome, "invalid signature", "bloop_3f81a2", 12, "203.0.113.0/24", ""])


class OldRing:
    """A segment that whoever made it has left; nobody holds a claim in it."""

    def __init__(self, name: str, lane_count: int, lane_bytes: int, spill_folder: Path, ring_id: int = 77) -> None:
        self.ring_id, self.lane_bytes, self.spill_folder = ring_id, lane_bytes, spill_folder
        size = HEADER_BYTES + lane_count * (LANE_HEAD_BYTES + lane_bytes)
        fd = os.open(f"/dev/shm/{name.removeprefix('/')}", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.ftruncate(fd, size)
        self._memory = mmap.mmap(fd, size)
        os.close(fd)
        words = self.words = memoryview(self._memory).cast("Q")
        words[1], words[RING_ID], words[LANE_COUNT], words[LANE_BYTES] = VERSION, ring_id, lane_count, lane_bytes
        words[LANE_HEAD], words[GENERATION], words[0] = LANE_HEAD_BYTES, 1, MAGIC
        areas = HEADER_BYTES + lane_count * LANE_HEAD_BYTES
        self.lanes = [
            OldLane(self, n, (HEADER_BYTES + n * LANE_HEAD_BYTES) // 8, areas + n * lane_bytes)
            for n in range(lane_count)
        ]

    def close(self) -> None:
        """Let go of it; it stays."""
        self.words.release()
        self._memory.close()


class OldLane:
    """A lane with its spill, and the producer in it."""

    def __init__(self, ring: OldRing, index: int, first_word: int, area: int) -> None:
        self._ring, self._words, self.index, self._first, self._area = ring, ring.words, index, first_word, area
        self._cells: dict[int, int] = {}
        self._file_start = -1
        self.spilled = 0

    def push(self, kind: int, payload: bytes) -> int:
        """Append a record to the lane, or to the spill once the lane is full. The position behind it, in either."""
        words, first, lane_bytes, size = self._words, self._first, self._ring.lane_bytes, len(payload)
        head = words[first + HEAD]
        position = start = head & -8
        offset = position % lane_bytes
        need = size + 23 & -8
        if need > lane_bytes - offset:
            position += lane_bytes - offset
        if self.spilled or position + need > words[first + TAIL] + lane_bytes:
            return self._spill(kind, payload)
        if position != start:
            words[self._area + offset >> 3] = WRAP | (start // lane_bytes & 0xFFFF_FFFF) << 32
        at = self._area + position % lane_bytes
        checksum = xxh3_64_intdigest(payload) ^ (size | kind << 32) ^ position
        RECORD.pack_into(self._ring._memory, at, size, kind, 0, checksum)
        self._ring._memory[at + 16 : at + 16 + size] = payload
        words[first + HEAD] = position + need | head + 1 & 7
        words[first + ACCEPTED] += 1
        return position + need

    def _spill(self, kind: int, payload: bytes) -> int:
        words, first, size = self._words, self._first + SPILL, len(payload)
        head = words[first + HEAD]
        position, ring_id = head & -8, self._ring.ring_id
        if self._file_start < 0 or position - self._file_start >= SPILL_FILE_BYTES:
            self._file_start, self._counted = position, words[first + ACCEPTED]
        name = f"{ring_id:016x}-{self.index:02x}-{self._file_start:016x}-{self._counted}.spill"
        self._ring.spill_folder.mkdir(mode=0o700, exist_ok=True)
        checksum = xxh3_64_intdigest(payload) ^ (size | kind << 32) ^ ring_id ^ position
        need = size + 23 & -8
        with open(self._ring.spill_folder / name, "ab") as file:
            file.write(RECORD.pack(size, kind, 0, checksum) + payload + bytes(need - size - 16))
        words[first + HEAD] = position + need | head + 1 & 7
        words[first + ACCEPTED] += 1
        self.spilled += 1
        return position + need

    def count(self, project_id: int, outcome: int, n: int = 1) -> None:
        """Project 0 has a table of its own; all others share one that is filled from the front."""
        words = self._words
        if project_id == 0:
            words[self._first + PROJECT_0 + outcome] += n
            return
        cell = self._cells.setdefault(project_id << 8 | outcome, self._first + CELLS + 2 * len(self._cells))
        words[cell] = project_id << 8 | outcome
        words[cell + 1] += n

    def announce(self, position: int, consumed: int) -> None:
        """What a writer notes before it commits that it read this far; one that dies after that moves no tail."""
        self._words[self._first + READ_TO], self._words[self._first + READ_COUNT] = position, consumed

    def release(self, position: int, consumed: int) -> None:
        """What a writer that lives does after that."""
        self.announce(position, consumed)
        self._words[self._first + TAIL], self._words[self._first + CONSUMED] = position, consumed
