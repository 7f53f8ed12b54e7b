"""Own time by step."""

from __future__ import annotations

from types import ModuleType

import pytest

from benchmarks import profile_ingest, profile_writer
from benchmarks.stopwatch import Steps


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Work:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def outer(self) -> None:
        self.clock.now += 1
        self.inner()
        self.clock.now += 2

    def inner(self) -> None:
        self.clock.now += 10


def test_time_of_an_inner_step_is_not_counted_for_the_outer_one() -> None:
    clock = Clock()
    steps, work = Steps(clock), Work(clock)
    with steps.measuring((Work, "outer", "outer"), (Work, "inner", "inner")):
        work.outer()
        work.outer()

    assert steps.seconds == {"outer": 6.0, "inner": 20.0}
    assert steps.calls == {"outer": 2, "inner": 2}


def test_after_the_block_the_functions_are_their_own_again() -> None:
    before = Work.__dict__["outer"]
    with Steps().measuring((Work, "outer", "outer")):
        assert Work.__dict__["outer"] is not before

    assert Work.__dict__["outer"] is before


@pytest.mark.parametrize("profiled", [profile_ingest, profile_writer], ids=["ingest", "writer"])
def test_every_step_of_a_profile_is_where_it_is_looked_for(profiled: ModuleType) -> None:
    with Steps().measuring(*profiled._STEPS):
        pass
