"""Durations in words."""

from __future__ import annotations

import pytest

from bloop.base.durations import elapsed, span


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (1, "1 s"),
        (90, "90 s"),
        (60, "1 min"),
        (300, "5 min"),
        (7200, "2 h"),
        (86_400, "1 d"),
        (1.5, "1.5 s"),
    ],
)
def test_a_chosen_span_is_said_exactly_in_the_largest_whole_unit(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (725, "12 min 5 s"),
        (3600, "1 h"),
        (3605, "1 h 5 s"),
        (273_661, "3 d 4 h"),
    ],
)
def test_an_elapsed_time_is_said_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert elapsed(seconds) == words
