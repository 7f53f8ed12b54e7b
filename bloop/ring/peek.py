"""Reads the record that waits longest, in a process that is not the consumer. It claims nothing and moves nothing.

The consumer may release a record meanwhile. Then it does not verify any more, or it was the oldest a moment ago;
both are harmless.
"""

from __future__ import annotations

import os
from pathlib import Path

from xxhash import xxh3_64_intdigest

from bloop.ring import layout, spill
from bloop.ring.layout import L_HEAD, L_SPILL, L_TAIL, POSITION_MASK
from bloop.ring.mapping import Mapping
from bloop.ring.segment import Segment


def oldest_payloads(segment: Segment, spill_folder: Path) -> list[bytes]:
    """The next payload of each lane: in the lane, else in its spill. Empty lanes have none."""
    shared = segment.shared()
    payloads = [_read_lane(shared, n) for n in range(segment.lane_count)]
    payloads += [_read_spill(shared, n, spill_folder) for n, payload in enumerate(payloads) if payload is None]
    return [payload for payload in payloads if payload is not None]


def _read_lane(shared: Mapping, lane: int) -> bytes | None:
    words, first = shared.words, shared.geometry.lane_word(lane)
    lane_bytes, position = shared.geometry.lane_bytes, words[first + L_TAIL]
    head = words[first + L_HEAD] & POSITION_MASK
    start = shared.geometry.area(lane)
    if position < head and words[start + position % lane_bytes >> 3] == layout.wrap_marker(position, lane_bytes):
        position += lane_bytes - position % lane_bytes
    if position >= head:
        return None
    at = start + position % lane_bytes
    header = words[at >> 3]
    size = header & 0xFFFF_FFFF
    if layout.footprint(size) > min(head - position, lane_bytes - position % lane_bytes):
        return None
    payload = shared.area[at + layout.RECORD.size : at + layout.RECORD.size + size]
    return payload if xxh3_64_intdigest(payload) ^ header ^ position == words[(at >> 3) + 1] else None


def _read_spill(shared: Mapping, lane: int, folder: Path) -> bytes | None:
    words, first = shared.words, shared.geometry.lane_word(lane) + L_SPILL
    position = words[first + L_TAIL]
    if position >= words[first + L_HEAD] & POSITION_MASK:
        return None
    files = [file for file in spill.files_of(folder, shared.ring_id, lane) if file.start <= position]
    if not files:
        return None
    try:
        fd = os.open(files[-1].path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # stored and removed meanwhile
        return None
    try:
        head = os.pread(fd, layout.RECORD.size, position - files[-1].start)
        if len(head) < layout.RECORD.size:
            return None
        size, form, checksum = layout.RECORD.unpack(head)
        payload = os.pread(fd, min(size, shared.geometry.lane_bytes), position - files[-1].start + layout.RECORD.size)
    finally:
        os.close(fd)
    bound = (size | form << 32) ^ spill.checksum_salt(shared.ring_id, position)
    return payload if xxh3_64_intdigest(payload) ^ bound == checksum else None
