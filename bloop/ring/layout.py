"""The byte layout of the shared-memory ring, and the promises that hold whenever any process is killed.

    header     4096 B       magic, layout version, ring id, geometry | generation | heartbeat, state, pid | doorbell
                            meters of the consumer
    lane head  40 KiB each  head, accepted, dropped, pid | tail, consumed | counts of project 0 | meters | counts
    area       lane_bytes   records: size u32, form u32, checksum u64, payload, padding to 8 bytes

All lane heads come first, then all areas. Native byte order, every word eight bytes and aligned. Words written by
different processes never share a cache line.

A position counts bytes since the lane was made and only grows; `position % lane_bytes` is its place in the area. A
record never crosses the end of the area: a wrap marker fills the rest.

A record's `form` says what its payload is, for the code that writes and reads payloads: a kind in the low sixteen
bits, the version of that kind's codec in the high ones.

RING-R1  tail <= head <= tail + lane_bytes. Only the lane's one producer moves head, only the one consumer moves tail.
RING-R2  Head moves after the record is whole, in one store. A producer killed before that store leaves no trace: its
    successor writes over the same bytes. So no SIGKILL, at any instruction, leaves a torn record below head.
RING-R3  The checksum is bound to the position and to the first header word; a wrap marker is bound to its lap. Bytes of
    an earlier lap, seen late on a weakly ordered CPU, therefore never pass for what was written this lap.
RING-R4  A record below head that does not verify is *not there yet* while its producer lives: its lane waits, the other
    lanes continue. It is *torn* (memory was overwritten, or is faulty) once the lane's lock was seen free and it still
    does not verify, or after VISIBLE_WITHIN_S with a live producer. The consumer skips torn records and counts every
    one.
RING-R5  After a torn record the consumer continues right behind it if what follows there verifies, else at head.
    Whatever the bytes are, it stays between tail and head, ends, and counts exactly the records it gave up.
RING-R6  Reading moves nothing; `release` moves the tails, after COMMIT. If a consumer died in between, `resume` moves
    them to the positions its transaction stored, forward only. Nothing is stored twice, nothing is skipped.
RING-R7  POSIX record locks hold the claim on a lane and on the consumer's place: the kernel frees them with their
    process, however it dies. A fork inherits no claim. One producer per lane, one consumer per ring, always.
RING-R8  `accepted` is exact after any kill: the low three bits of the head word count records modulo 8 in the very
    store that publishes one, so a reader (and the next producer) sees when the counter lags behind. `consumed` is exact
    after any kill: `read` notes what both words will be after the batch, before anything can commit or release it.
RING-R9  Counts are cumulative for the life of the ring, over all producers of a lane. A cell never changes its key.
RING-R10  A full lane refuses the record, counts the drop, and takes records again once the tail has moved. An empty
    lane takes any payload up to `payload_bytes_max`.
RING-R11  A producer rings a sleeping consumer at most once per sleep. The consumer's second look, LOOK_AGAIN_S later,
    finds a push that races with falling asleep; the time-out is only a safety net.
RING-R12  The magic is written last: if a segment's creator was killed half way, the next process makes the segment
    again. A segment that was replaced or unlinked has the RETIRED magic, and no process can claim a lane in it any
    more.
RING-R13  The first six words, the lock bytes, and the first words of a lane head (head, tail) stay where they are in
    every layout version: any bloop can tell whether another version's ring is empty and unused. Every version in
    VERSIONS has the same streams (the words of lane and spill, the records), so this consumer reads the rings of them
    all; producers only work in the newest.

A lane that overflows continues in files, its spill. A lane head has the same words for it, L_SPILL further on; where
the bytes are and what is promised about them (RING-R14 to RING-R18) is in `spill.py`.

Words go through `memoryview.cast("Q")`, one store each: `struct.pack_into` zeroes a field before it fills it, and
another process could read that zero. Bytes that no process reads before head moves (record headers) may use either.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = int.from_bytes(b"bloopRNG", "little")
RETIRED = int.from_bytes(b"bloopOLD", "little")
LAYOUT_VERSION = 2

HEADER_BYTES = 4096
LANE_HEAD_BYTES = 40 * 1024
LANE_COUNT_MAX = 256
LANE_BYTES_MIN = 1024
LANE_BYTES_MAX = 1 << 31  # sizes are u32, and a wrap marker must not look like one
LANE_BYTES_STEP = 64

# Words of the header, as indices into the segment cast to "Q".
W_MAGIC, W_VERSION, W_RING_ID, W_LANE_COUNT, W_LANE_BYTES, W_LANE_HEAD_BYTES = range(6)
W_GENERATION = 8
W_HEARTBEAT, W_STATE, W_CONSUMER_PID = 16, 17, 18
W_ASLEEP = 24  # 0 while the consumer is awake, else a number that is new for every sleep
W_METERS = 64  # CONSUMER_METERS words whose meaning the consumer's process defines

# Words of a lane head, relative to its first word.
L_HEAD, L_ACCEPTED, L_DROPPED, L_PRODUCER_PID = range(4)
L_TAIL, L_CONSUMED, L_READ_TO, L_READ_COUNT = range(8, 12)  # the last two: what tail and consumed are about to become
L_SPILL = 16  # from here: head and accepted, tail to read count of the spill, in the same order
L_FREED = 12  # of a spill: bytes before this position are no longer on the disk
L_PROJECT_0 = 64  # by category and outcome, for project 0: records of no project, or counted while the table was full
L_METERS = 576  # LANE_METERS words whose meaning the producer's process defines
L_CELLS = L_METERS + 2560  # pairs of (key, count); filled from the front, key 0 is free

# Words of statistics that nothing depends on; they only grow, and end with the ring.
CONSUMER_METERS = 384
LANE_METERS = L_CELLS - L_METERS
CATEGORY_MAX = 15
OUTCOME_MAX = 31
PROJECT_MAX = (1 << 47) - 1
CELL_COUNT = (LANE_HEAD_BYTES // 8 - L_CELLS) // 2

# Bytes of the segment that stand for a claim. The locks do not touch what is stored there.
LOCK_CREATE, LOCK_CONSUMER, LOCK_GENERATION, LOCK_LANE_0 = 0, 1, 2, 64
LOCK_SPILL_0 = LOCK_LANE_0 + LANE_COUNT_MAX

RECORD = struct.Struct("=IIQ")  # size, form, checksum
POSITION_MASK = -8  # the head word without its record count
WRAP = 0xFFFF_FFFF  # in place of a size: the rest of the area is unused

VISIBLE_WITHIN_S = 1.0  # stores reach other cores within microseconds; this allows for anything
LOOK_AGAIN_S = 0.001


@dataclass(frozen=True, slots=True)
class Version:
    """Where one layout version has its counts, and how large that makes a lane head; the rest is the same in all."""

    number: int
    lane_head_bytes: int
    project_0: int  # first word of the table: one row of 32 outcomes for each category
    categories: int
    cells: int  # first word of the pairs
    category_bits: int  # of a cell's key, between those of the project and the eight of the outcome


CURRENT = Version(LAYOUT_VERSION, LANE_HEAD_BYTES, L_PROJECT_0, CATEGORY_MAX + 1, L_CELLS, category_bits=8)
VERSIONS = {1: Version(1, 9216, project_0=32, categories=1, cells=192, category_bits=0), LAYOUT_VERSION: CURRENT}


def cell_key(project_id: int, category: int, outcome: int) -> int:
    """The key that stands before a count in the table of a lane."""
    return project_id << 16 | category << 8 | outcome


@dataclass(frozen=True, slots=True)
class Geometry:
    """How many lanes of how many bytes. `lane_bytes` is a multiple of LANE_BYTES_STEP."""

    lane_count: int
    lane_bytes: int
    version: Version = CURRENT

    @classmethod
    def fitting(cls, lane_count: int, lane_bytes: int) -> Geometry:
        """The geometry that holds at least `lane_bytes` per lane; ValueError out of range."""
        if not 1 <= lane_count <= LANE_COUNT_MAX:
            raise ValueError(f"lane_count must be 1 to {LANE_COUNT_MAX}, not {lane_count}")
        if not LANE_BYTES_MIN <= lane_bytes <= LANE_BYTES_MAX:
            raise ValueError(f"lane_bytes must be {LANE_BYTES_MIN} to {LANE_BYTES_MAX}, not {lane_bytes}")
        return cls(lane_count, -(-lane_bytes // LANE_BYTES_STEP) * LANE_BYTES_STEP)

    @property
    def total_bytes(self) -> int:
        return HEADER_BYTES + self.lane_count * (self.version.lane_head_bytes + self.lane_bytes)

    def lane_word(self, lane: int) -> int:
        """Index of the first word of a lane's head."""
        return (HEADER_BYTES + lane * self.version.lane_head_bytes) // 8

    def area(self, lane: int) -> int:
        """Offset of the first byte of a lane's area."""
        return HEADER_BYTES + self.lane_count * self.version.lane_head_bytes + lane * self.lane_bytes


def payload_bytes_max(lane_bytes: int) -> int:
    """The largest payload a lane takes.

    A quarter of the lane: then a record and the bytes wasted before a wrap always fit an empty lane (RING-R10), and one
    record cannot push out everything else.
    """
    return lane_bytes // 4


def footprint(size: int) -> int:
    """Bytes a record with a payload of `size` takes in the area."""
    return (size + 23) & -8


def wrap_marker(position: int, lane_bytes: int) -> int:
    """The word at `position` that marks the end of this lap."""
    return WRAP | (position // lane_bytes & 0xFFFF_FFFF) << 32


def accepted_exact(head: int, accepted: int) -> int:
    """Records ever published in a lane, from its head word and a counter that may lag by up to seven (RING-R8)."""
    return accepted + (head - accepted & 7)
