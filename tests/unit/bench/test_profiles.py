"""A ramp finds the limit of whatever it is given, and a schedule is what was asked for."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.bench.profiles import RAMP_CLOSE, RAMP_STEPS_MAX, Options, Profile, Ramp, is_held, is_lazy, stages
from bloop.bench.rendering import Target
from bloop.bench.schedule import Load, Stage


@given(start=st.floats(10, 10_000), limit=st.floats(10, 100_000))
def test_a_ramp_ends_just_below_the_limit(start: float, limit: float) -> None:
    ramp = Ramp(start)
    while (rate := ramp.next_rate()) is not None:
        ramp.note(rate, held=rate <= limit)

    assert len(ramp.tried) <= RAMP_STEPS_MAX
    assert ramp.held <= limit
    if len(ramp.tried) < RAMP_STEPS_MAX and limit > start / 50:
        assert limit < ramp.held * RAMP_CLOSE


def test_a_ramp_on_something_that_holds_nothing_gives_up() -> None:
    ramp = Ramp(1000)
    while (rate := ramp.next_rate()) is not None:
        ramp.note(rate, held=False)

    assert ramp.held == 0


@pytest.mark.parametrize(
    ("clean", "took_s", "drain_s", "held"),
    [(True, 10.0, 0.1, True), (False, 10.0, 0.1, False), (True, 10.3, 0.1, False), (True, 10.0, 0.6, False)],
)
def test_held_is_clean_on_schedule_and_stored_soon(clean: bool, took_s: float, drain_s: float, held: bool) -> None:
    assert is_held(clean=clean, planned_s=10.0, took_s=took_s, drain_s=drain_s) is held


def test_a_burst_has_a_calm_before_and_after_it() -> None:
    assert stages(Options(Profile.BURST, 1000, 40, batch=10, factor=5)) == (
        Stage(10, 100),
        Stage(10, 500),
        Stage(20, 100),
    )
    assert stages(Options(Profile.STEADY, 1000, 40, batch=10)) == (Stage(40, 100),)


def test_only_long_loads_are_rendered_as_they_go() -> None:
    assert not is_lazy((Stage(20, 1000),), 1)
    assert is_lazy((Stage(600, 1000),), 1)
    assert is_lazy((Stage(20, 1000),), 50)


def test_the_processes_share_one_schedule_whose_rate_changes() -> None:
    load = Load(Target(1, "s"), "t", requests=30, stages=(Stage(1.0, 10), Stage(0.5, 20), Stage(1.0, 10)), processes=3)

    due_s = sorted(itertools.chain.from_iterable(load.due_s(process) for process in range(3)))

    gaps = [round(after - before, 6) for before, after in itertools.pairwise(due_s)]
    assert (len(due_s), due_s[0]) == (30, 0.0)
    assert gaps == [0.1] * 10 + [0.05] * 10 + [0.1] * 9
