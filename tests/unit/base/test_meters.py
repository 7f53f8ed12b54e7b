"""The numbers of /metrics that live in the ring: what is added where, and that it is read back as it was meant."""

from __future__ import annotations

from bisect import bisect_left

import pytest

from bloop.base import meters
from bloop.base.meters import (
    ANSWER_BOUNDS_NS,
    BLOCK_WORDS,
    CLASSES,
    CODES,
    FLUSH,
    NO_ROUTE,
    NS,
    OTHER,
    REFUSALS_WORD,
    TIMING_WORD,
    VISIBLE,
    Answer,
    Route,
    Tally,
)
from bloop.ingest.registry import METERS
from bloop.ring import Consumer, Producer, Segment
from bloop.ring.layout import CONSUMER_METERS, LANE_METERS
from tests.unit.ring.support import fresh_ring_name

MS = NS // 1000
SINGLE, BATCH = "/v1/ingest", "/v1/ingest/batch"


def note(tally: Tally, method: str, path: str, status: str, took_ns: int) -> None:
    """As Gateway.call does."""
    cell = tally.cell(method, path, status)
    cell[bisect_left(ANSWER_BOUNDS_NS, took_ns)] += 1
    cell[-1] += took_ns


def words_of(*added: dict[int, int]) -> list[int]:
    words = [0] * LANE_METERS
    for one in added:
        for word, value in one.items():
            words[word] += value
    return words


def test_no_two_numbers_share_a_word():
    lane = [*METERS.answers.values()]
    for timing in METERS.took.values():
        lane += range(timing.first_word, timing.sum_word + 1)
    writer = [*range(FLUSH.first_word, FLUSH.sum_word + 1), *range(VISIBLE.first_word, VISIBLE.sum_word + 1)]

    for words, there_are in ((lane, LANE_METERS), (writer, CONSUMER_METERS)):
        assert len(words) == len(set(words))
        assert max(words) < there_are


def test_sixteen_dialects_of_four_routes_have_room_before_the_refusals():
    blocks = [Route(dialect, place, "POST", "/").first_word for dialect in range(16) for place in range(4)]

    assert blocks == [*range(0, REFUSALS_WORD, BLOCK_WORDS)]
    assert len(CODES) + len(CLASSES) + len(("OPTIONS 204", "other 405", "other other")) <= TIMING_WORD
    assert TIMING_WORD + len(ANSWER_BOUNDS_NS) + 2 <= BLOCK_WORDS


def test_words_keep_their_meaning_from_release_to_release():
    """METERS-3"""
    assert METERS.answers[Answer("POST", SINGLE, "200")] == 0
    assert METERS.answers[Answer("POST", BATCH, "5xx")] == 32 + 13
    assert METERS.answers[Answer("OPTIONS", SINGLE, "204")] == 14
    assert METERS.answers[Answer(OTHER, SINGLE, OTHER)] == 16
    assert METERS.answers[Answer(NO_ROUTE, NO_ROUTE, "400")] == 2048
    assert (METERS.took[SINGLE].first_word, METERS.took[BATCH].first_word) == (18, 50)


def test_a_value_on_a_bound_belongs_to_it_and_the_next_above_does_not():
    read = VISIBLE.read(words_of(VISIBLE.added([(10, 1), (11, 2), (10**9, 1), (-5, 1)])))

    assert read.counts == [2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert read.sum_s == pytest.approx((10 + 22 + 10**9) / 1000)


def test_answers_are_read_back_by_method_route_and_code():
    tally = Tally(METERS)
    note(tally, "POST", SINGLE, "200 OK", 40 * 1000)
    note(tally, "POST", "//v1/ingest/", "200 OK", 3 * MS)
    note(tally, "POST", BATCH, "429 Too Many Requests", 5 * NS)
    note(tally, "OPTIONS", SINGLE, "204 No Content", 1)
    tally.note_refusal(431)

    words = words_of(tally.take())

    assert {answer: n for answer, n in METERS.read(words).items() if n} == {
        Answer("POST", SINGLE, "200"): 2,
        Answer("POST", BATCH, "429"): 1,
        Answer("OPTIONS", SINGLE, "204"): 1,
        Answer(NO_ROUTE, NO_ROUTE, "431"): 1,
    }
    single, batch = (METERS.took[route].read(words) for route in (SINGLE, BATCH))
    assert (single.counts[0], single.counts[4], sum(single.counts)) == (2, 1, 3)
    assert (batch.counts[-1], batch.sum_s) == (1, 5.0)


@pytest.mark.parametrize(
    ("noted", "line"),
    [
        (("GET", SINGLE, "405 Method Not Allowed"), Answer(OTHER, SINGLE, "405")),
        (("BREW", BATCH, "418 I'm a teapot"), Answer(OTHER, BATCH, OTHER)),
        (("POST", SINGLE, "507 Insufficient Storage"), Answer("POST", SINGLE, "5xx")),
        (("POST", SINGLE, "302 Found"), Answer(OTHER, SINGLE, OTHER)),
        (("GET", "/elsewhere", "404 Not Found"), Answer(NO_ROUTE, NO_ROUTE, OTHER)),
    ],
)
def test_what_nobody_foresaw_has_a_line_too(noted: tuple[str, str, str], line: Answer):
    tally = Tally(METERS)
    note(tally, *noted, 1)

    assert {answer: n for answer, n in METERS.read(words_of(tally.take())).items() if n} == {line: 1}


def test_spellings_of_a_path_do_not_pile_up():
    tally = Tally(METERS)
    for slashes in range(1, 1000):
        note(tally, "POST", "/" * slashes + "v1/ingest", "200 OK", 1)

    assert len(tally._cells) < 100
    assert METERS.read(words_of(tally.take()))[Answer("POST", SINGLE, "200")] == 999


def test_what_was_taken_is_not_taken_again():
    tally = Tally(METERS)
    note(tally, "POST", SINGLE, "200 OK", 1)
    first = tally.take()
    assert tally.take() == {}

    note(tally, "POST", SINGLE, "200 OK", 1)

    assert words_of(tally.take()) == words_of(first)


def test_meters_outlive_the_processes_that_add_to_them():
    """METERS-1"""
    with fresh_ring_name() as name:
        segment = Segment.create(name, lane_count=2, lane_bytes=1024)
        consumer = Consumer.claim(segment)
        consumer.add_meters({0: 7, CONSUMER_METERS - 1: 1})
        for _ in range(2):
            producer = Producer.claim(segment)
            producer.add_meters({3: 5})
            producer.count(1, 0, 1)
            producer.close()

        found = segment.meters()

        assert (found.consumer[0], found.consumer[-1], sum(found.consumer)) == (7, 1, 8)
        assert meters.add_up(found.lanes) == words_of({3: 10})
        assert [(cell.project_id, cell.outcome, cell.value) for cell in consumer.cells()] == [(1, 1, 2)]
        consumer.close()
        segment.close()
