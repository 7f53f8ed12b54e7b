"""SKETCH-1 and SKETCH-2 of bloop/issues/limits/sketch.py."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.issues.limits.sketch import REGISTERS, Sketch
from bloop.records.event_record import user_key

KEYS = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=200)


def sketch_of(keys):
    sketch = Sketch()
    sketch.add(keys)
    return sketch


@given(KEYS, st.randoms())
def test_neither_order_nor_repetition_changes_a_sketch(keys, random):
    shuffled = keys * 2
    random.shuffle(shuffled)

    assert bytes(sketch_of(shuffled)) == bytes(sketch_of(keys))


@given(KEYS, KEYS)
def test_merged_sketches_are_the_sketch_of_both(first, second):
    merged = sketch_of(first)
    merged.merge(sketch_of(second))

    assert bytes(merged) == bytes(sketch_of(first + second))
    assert merged.estimate() == sketch_of(first + second).estimate()


@given(KEYS)
def test_a_sketch_survives_its_bytes(keys):
    sketch = sketch_of(keys)

    assert Sketch(bytes(sketch)).estimate() == sketch.estimate()
    assert len(bytes(sketch)) == REGISTERS


def test_known_keys_change_nothing():
    sketch = sketch_of(range(100))

    assert not sketch.add(range(100))
    assert sketch.add([user_key("someone else", None)])


@pytest.mark.parametrize("count", [0, 1, 100, 5_000, 9_000, 10_000, 11_000, 12_500, 50_000, 300_000])
def test_estimates_are_within_four_standard_errors_of_the_truth(count):
    estimated = sketch_of(user_key(f"user-{number}", None) for number in range(count)).estimate()

    assert abs(estimated - count) <= 4 * 0.01625 * count


def test_estimates_grow_with_their_sets():
    sketch, estimates = Sketch(), []
    for start in range(0, 40_000, 500):
        sketch.add(user_key(f"user-{number}", None) for number in range(start, start + 500))
        estimates.append(sketch.estimate())

    assert all(before <= after for before, after in pairwise(estimates))
