"""Overwrites bytes of waiting records in shared memory, as a stray write or bad memory would.

DAMAGE-1  Only records that the writer has not read are damaged: the writer is stopped meanwhile.
DAMAGE-2  The lane's producer is stopped as well, from before the damage until its lane is empty. So the lost records
    are known exactly: one record if its payload is damaged (those behind it still verify), all from there to the head
    if its size is (the start of the next one is then unknown). The flipped bit makes the size larger than any lane: a
    smaller wrong size could point at the start of a later record by accident.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bloop.records.record import EVENT_FORM
from bloop.ring import Segment, layout
from bloop.ring.segment import LaneStat
from tests.acceptance.harness import BloopServer, until
from tests.chaos.kills import stopped_processes
from tests.stored import decoded

WAITING_BYTES_MIN = 8192  # in the lane: records before the damage, and some behind it
SIZE_TOP_BYTE = 3 if sys.byteorder == "little" else 0
PAYLOAD, SIZE = "payload", "size"
_WITHIN_S = 20.0


class WaitingRecord(NamedTuple):
    """A record in a lane."""

    at: int  # offset of its first byte in the segment
    size: int
    request_id: str


def damage(server: BloopServer, rng: random.Random, where: str) -> frozenset[str]:
    """Flip a bit in a record's `where`, let the writer pass it, and return the ids that are lost."""
    name = server.settings.ring_name
    with contextlib.closing(Segment.attach(name)) as ring:
        (writer,) = server.pids("writer")
        with contextlib.ExitStack() as producer_stopped:
            with stopped_processes([writer]):
                read_to = [lane.head for lane in ring.stat().lanes]  # DAMAGE-1
                filled = until(lambda: _filled(ring, read_to), "records to wait in a lane", _WITHIN_S)[0]
                producer_stopped.enter_context(stopped_processes([filled.producer_pid]))
                lane = ring.stat().lanes[filled.index]
                with _memory(name) as memory:
                    waiting = list(_records(memory, ring, lane, read_to[lane.index]))
                    victim = rng.randrange(1, len(waiting) - 1)
                    at, size, _ = waiting[victim]
                    offset = SIZE_TOP_BYTE if where == SIZE else layout.RECORD.size + rng.randrange(size)
                    memory[at + offset] ^= 1 << rng.randrange(8)
            lost = waiting[victim:] if where == SIZE else waiting[victim : victim + 1]
            until(lambda: ring.stat().lanes[lane.index].tail == lane.head, "the writer to pass the damage", _WITHIN_S)
    return frozenset(record.request_id for record in lost)


def _filled(ring: Segment, read_to: list[int]) -> list[LaneStat]:
    """Lanes with a live producer to which enough was pushed since."""
    return [
        lane for lane in ring.stat().lanes if lane.producer_pid and lane.head - read_to[lane.index] > WAITING_BYTES_MIN
    ]


@contextlib.contextmanager
def _memory(name: str) -> Iterator[mmap.mmap]:
    fd = os.open(Path("/dev/shm") / name[1:], os.O_RDWR)
    try:
        with mmap.mmap(fd, 0) as memory:
            yield memory
    finally:
        os.close(fd)


def _records(memory: mmap.mmap, ring: Segment, lane: LaneStat, position: int) -> Iterator[WaitingRecord]:
    """Every event that waits in a lane from `position` on."""
    geometry = layout.Geometry(ring.lane_count, ring.lane_bytes)
    while position < lane.head:
        offset = position % geometry.lane_bytes
        at = geometry.area(lane.index) + offset
        size, form, _ = layout.RECORD.unpack_from(memory, at)
        if size == layout.WRAP:
            position += geometry.lane_bytes - offset
            continue
        if form == EVENT_FORM:
            payload = memory[at + layout.RECORD.size : at + layout.RECORD.size + size]
            yield WaitingRecord(at, size, decoded(payload).event.request_id or "")
        position += layout.footprint(size)
