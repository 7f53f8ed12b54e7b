"""The spill: files on a disk that take a lane's records while the lane is full, until the writer has caught up.

    FOLDER/RING_ID-LANE-START-RECORDS.spill     the first three in hexadecimal: 16, 2 and 16 digits

A lane's spill is one stream of bytes with positions of its own, cut into files. `start` is the position of a file's
first byte, `records` how many records were spilled before it. Records look as they do in the ring (size, form,
checksum, payload, padding), never cross from one file to the next, and have the ring's id in their checksum as well.
Head, tail and counts are words in the lane's head (layout.L_SPILL), with the meaning they have for the lane.

RING-R14  Order is kept: while a part of a lane's spill is not stored, its producer continues to spill, and the consumer
    reads the lane to its end before the spill.
RING-R15  Exactly once, as in the ring: a record is there once head has passed it, head moves after the record is in the
    file, tail after the COMMIT that also stored the position. If a producer was killed in the middle, its successor
    cuts off the bytes past head before it publishes anything behind them.
RING-R16  The consumer removes a file when everything in it is stored. A producer could append to the last one at that
    moment, so both sides take the lane's lock: the consumer to remove it, the producer to append to it. Neither side
    waits for the lock; a producer that does not get it knows that everything is stored, and begins a new file.
RING-R17  The consumer gives up what does not verify after VISIBLE_WITHIN_S and counts it, up to the next position that
    is known to be the start of a record: right behind it, or the next file. A file that cannot be read is treated the
    same way.
RING-R18  Files outlive their ring. Those of a ring that no longer exists (the machine restarted) are orphans: read up
    to the last record that verifies, with positions continued in the database under the old ring's id.

Written bytes are in the kernel's page cache: no kill loses them. No process syncs these files, because clients would
wait for the disk, so a power cut costs what the kernel had not written yet: by default up to half a minute.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bloop.ring import layout

SPILL_SLOT_0 = layout.LANE_COUNT_MAX
ORPHAN_SLOT_0 = 2 * layout.LANE_COUNT_MAX

FILE_BYTES_MAX = 16 * 1024 * 1024  # stored records are removed in pieces of this size
FILES_MIN = 8  # a small limit is divided into this many
SUFFIX = ".spill"


@dataclass(frozen=True, slots=True)
class Spill:
    """How much may be spilled, and where. One folder per ring, made when it is first needed."""

    folder: Path
    bytes_max: int  # of all lanes
    disk_free_bytes_min: int

    @property
    def file_bytes(self) -> int:
        return min(FILE_BYTES_MAX, self.bytes_max // FILES_MIN)


class SpillFile(NamedTuple):
    """One file. Sorts by ring, lane and position."""

    ring_id: int
    lane: int
    start: int
    records: int
    path: Path

    @classmethod
    def named(cls, folder: Path, ring_id: int, lane: int, start: int, records: int) -> SpillFile:
        name = f"{ring_id:016x}-{lane:02x}-{start:016x}-{records}{SUFFIX}"
        return cls(ring_id, lane, start, records, folder / name)

    def remove(self) -> None:
        with suppress(FileNotFoundError):
            self.path.unlink()


def files(folder: Path) -> list[SpillFile]:
    """Every spill file in the folder, in order; none when there is no folder."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(file for name in names if (file := _parse_name(folder, name)) is not None)


def files_of(folder: Path, ring_id: int, lane: int) -> list[SpillFile]:
    return [file for file in files(folder) if (file.ring_id, file.lane) == (ring_id, lane)]


def remove(stored: Iterable[SpillFile]) -> None:
    for file in stored:
        file.remove()


def sync_folder(folder: Path) -> None:
    """Make removals durable: a power cut must not bring back a file whose position was forgotten."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def checksum_salt(ring_id: int, position: int) -> int:
    """The number that binds a record's checksum to its ring and position."""
    return ring_id ^ position


def _parse_name(folder: Path, name: str) -> SpillFile | None:
    try:
        ring_id, lane, start, records = name.removesuffix(SUFFIX).split("-")
        file = SpillFile.named(folder, int(ring_id, 16), int(lane, 16), int(start, 16), int(records))
    except ValueError:
        return None
    return file if file.path.name == name else None
