"""Rings of layout 1: the consumer reads the records of older releases, and no producer writes into them (RING-R13)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bloop.base.errors import RingMismatch
from bloop.ring import Consumer, Producer, Segment
from tests import ring_layout_1
from tests.ring_layout_1 import OldRing
from tests.unit.ring.support import SHM

T0 = 1_760_000_400_000
EVENT = 0  # a category
# Of the same pushes, reads and counts by the producer of commit be29880, the last before layout 2.
RING_SHA256 = "5869d4e42a92d076d0223f93a21bb8e00c13762878096f32b1babae9bccb0247"
SPILL_SHA256 = "c4402fc60e6c9b36275d844686598b708d9876b2cb35e5d2d6a472a3061fdfd4"


@pytest.fixture
def old(name: str, tmp_path: Path) -> Iterator[OldRing]:
    """Two lanes that have been round, with more of each on the disk, and two counts."""
    ring = OldRing(name, 2, 4096, tmp_path / "spill")
    for n in range(30):
        for lane in ring.lanes:
            lane.count(1, 1)
            position = lane.push(ring_layout_1.ERROR, ring_layout_1.error(1, T0, f"id-{n}"))
            if n < 5:
                lane.release(position, n + 1)
    for lane in ring.lanes:
        lane.push(ring_layout_1.REJECTION, ring_layout_1.rejection(0, T0, 6))
        lane.count(0, 6, 2)
    yield ring
    ring.close()


def test_the_frozen_writer_writes_what_the_last_release_of_layout_1_wrote(old: OldRing, name: str):
    spilled = sorted(old.spill_folder.iterdir())

    assert [file.name for file in spilled] == [f"000000000000004d-0{n}-0000000000000000-0.spill" for n in range(2)]
    assert hashlib.sha256(Path(SHM + name).read_bytes()).hexdigest() == RING_SHA256
    assert {hashlib.sha256(file.read_bytes()).hexdigest() for file in spilled} == {SPILL_SHA256}


def test_a_consumer_reads_records_counts_and_the_spill_of_layout_1(old: OldRing, name: str):
    with (
        closing(Segment.attach_to_drain(name)) as segment,
        closing(Consumer.claim(segment, old.spill_folder)) as reader,
    ):
        waiting = reader.pending()
        batch = reader.read(1000, 1 << 30)

        assert (waiting, len(batch.records), batch.torn) == (52, 52, 0)
        events = [payload for form, payload, lane in batch.records if (form, lane) == (ring_layout_1.ERROR, 0)]
        assert events == [ring_layout_1.error(1, T0, f"id-{n}") for n in range(5, 30)]
        assert reader.cells() == [
            *((0, 0, EVENT, 6, 2), (0, 1, EVENT, 1, 30)),
            *((1, 0, EVENT, 6, 2), (1, 1, EVENT, 1, 30)),
        ]
        reader.release(batch)
        assert (reader.pending(), os.listdir(old.spill_folder)) == (0, [])


def test_no_producer_writes_into_a_ring_of_layout_1(old: OldRing, name: str):
    with pytest.raises(RingMismatch, match="layout version 1"):
        Segment.attach(name)
    with closing(Segment.attach_to_drain(name)) as segment:
        assert not segment.is_laid_out(lane_count=2, lane_bytes=4096)
        with pytest.raises(RingMismatch, match="layout version 1: it is only read"):
            Producer.claim(segment)
        with pytest.raises(RingMismatch, match="layout version 1"):
            Segment.attach(name)
    with pytest.raises(RingMismatch, match="layout version 1, and holds records"):
        Segment.create(name, lane_count=2, lane_bytes=4096)
