from __future__ import annotations

import pytest

from bloop.ring import layout
from bloop.ring.layout import Geometry


def test_lane_bytes_are_rounded_up_to_whole_cache_lines():
    assert Geometry.fitting(3, 1025) == Geometry(3, 1088)


@pytest.mark.parametrize(
    ("lane_count", "lane_bytes", "message"),
    [
        (0, 4096, "lane_count must be 1 to 256, not 0"),
        (257, 4096, "lane_count must be 1 to 256, not 257"),
        (1, 1023, "lane_bytes must be 1024 to 2147483648, not 1023"),
        (1, (1 << 31) + 1, "lane_bytes must be 1024 to 2147483648, not 2147483649"),
    ],
)
def test_a_geometry_out_of_range_is_refused(lane_count, lane_bytes, message):
    with pytest.raises(ValueError) as refusal:
        Geometry.fitting(lane_count, lane_bytes)

    assert str(refusal.value) == message


def test_lanes_and_areas_follow_each_other_without_overlap():
    geometry = Geometry.fitting(4, 4096)

    spans = [(0, layout.HEADER_BYTES)]
    spans += [(geometry.lane_word(n) * 8, geometry.lane_word(n) * 8 + layout.LANE_HEAD_BYTES) for n in range(4)]
    spans += [(geometry.area(n), geometry.area(n) + 4096) for n in range(4)]

    assert [start for start, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert spans[-1][1] == geometry.total_bytes


def test_tables_of_a_lane_head_do_not_overlap_and_fill_it():
    assert layout.L_SPILL + layout.L_FREED < layout.L_PROJECT_0
    assert layout.L_PROJECT_0 + (layout.CATEGORY_MAX + 1) * (layout.OUTCOME_MAX + 1) == layout.L_METERS
    assert layout.L_METERS + layout.LANE_METERS == layout.L_CELLS
    assert layout.L_CELLS + 2 * layout.CELL_COUNT == layout.LANE_HEAD_BYTES // 8
    assert layout.W_METERS + layout.CONSUMER_METERS <= layout.HEADER_BYTES // 8


def test_words_of_different_writers_never_share_a_cache_line():
    def line(word: int) -> int:
        return word * 8 // 64

    anyone = {line(layout.W_GENERATION)}
    consumer = {line(layout.W_HEARTBEAT), line(layout.W_STATE), line(layout.W_CONSUMER_PID)}
    asleep = {line(layout.W_ASLEEP)}
    producer = {line(word) for word in (layout.L_HEAD, layout.L_ACCEPTED, layout.L_DROPPED, layout.L_PRODUCER_PID)}
    lane_consumer = {line(layout.L_TAIL), line(layout.L_CONSUMED)}
    counts = {line(word) for word in range(layout.L_PROJECT_0, layout.LANE_HEAD_BYTES // 8)}

    assert anyone.isdisjoint(consumer | asleep)
    assert consumer.isdisjoint(asleep)
    assert lane_consumer.isdisjoint(producer | counts)


def test_the_words_every_version_relies_on_stay_where_they_are():
    """RING-R13: other versions of bloop read these to tell whether a ring is empty and unused."""
    header = (layout.W_MAGIC, layout.W_VERSION, layout.W_RING_ID, layout.W_LANE_COUNT, layout.W_LANE_BYTES)

    assert (*header, layout.W_LANE_HEAD_BYTES) == (0, 1, 2, 3, 4, 5)
    assert (layout.LOCK_CREATE, layout.LOCK_CONSUMER, layout.LOCK_LANE_0) == (0, 1, 64)
    assert (layout.HEADER_BYTES, layout.L_HEAD, layout.L_TAIL) == (4096, 0, 8)


def test_a_wrap_marker_is_good_for_one_lap_only():
    """RING-R3"""
    assert layout.wrap_marker(960, 1024) != layout.wrap_marker(960 + 1024, 1024)


def test_a_record_takes_its_header_its_payload_and_padding_to_a_word():
    assert [layout.footprint(size) for size in (0, 1, 8, 9)] == [16, 24, 24, 32]


@pytest.mark.parametrize("lag", range(8))
@pytest.mark.parametrize("published", [7, 8, 1000])
def test_a_lagging_counter_is_set_right_by_the_head_word(published, lag):
    """RING-R8"""
    head = 4096 | published & 7

    assert layout.accepted_exact(head, max(0, published - lag)) == published
