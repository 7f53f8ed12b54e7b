"""The load profiles, and the rule by which a rate counts as held. Pure.

PROFILE-1  A ramp raises the rate by RAMP_UP until one is not held, then halves the distance (on a logarithmic scale)
    between the highest held and the lowest not held until they are less than RAMP_CLOSE apart. The limit is the highest
    rate that was held for a whole step.
PROFILE-2  A rate is held if nothing was dropped or refused, all requests were sent on schedule to within KEPT_UP, and
    everything was stored within DRAIN_S_MAX of the last answer, so that no buffer was filling up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from bloop.bench.bodies import Body
from bloop.bench.schedule import Stage

RAMP_UP = 1.6
RAMP_CLOSE = 1.08
RAMP_STEPS_MAX = 14
KEPT_UP = 0.985
DRAIN_S_MAX = 0.5
PRERENDERED_EVENTS_MAX = 200_000  # 1.5 KB each, rendered before the clock starts; longer loads render as they go


class Profile(StrEnum):
    STEADY = "steady"
    RAMP = "ramp"
    BURST = "burst"
    SOAK = "soak"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `bloop bench`. Rates are events per second."""

    profile: Profile
    rate: float
    seconds: float  # of the whole, or of a step of a ramp
    batch: int = 1  # events per request; 1: the single-event route
    body: Body = Body.TYPICAL
    factor: float = 5.0  # of a burst, times the rate
    connections: int = 16
    readers: int = 0

    @property
    def requests_per_s(self) -> float:
        return self.rate / self.batch


def stages(options: Options) -> tuple[Stage, ...]:
    """The schedule of one run: a burst has a calm before and after it, all others have one rate."""
    rate, seconds = options.requests_per_s, options.seconds
    if options.profile is not Profile.BURST:
        return (Stage(seconds, rate),)
    return Stage(seconds / 4, rate), Stage(seconds / 4, rate * options.factor), Stage(seconds / 2, rate)


def is_lazy(schedule: tuple[Stage, ...], batch: int) -> bool:
    """Whether the load is too large to render before the start."""
    return sum(stage.requests for stage in schedule) * batch > PRERENDERED_EVENTS_MAX


def is_held(*, clean: bool, planned_s: float, took_s: float, drain_s: float) -> bool:
    """Whether the rate was held (PROFILE-2). `took_s` is from the first request to the last answer."""
    return clean and planned_s >= KEPT_UP * took_s and drain_s <= DRAIN_S_MAX


@dataclass(slots=True)
class Ramp:
    """The search for the limit (PROFILE-1): get `next_rate`, try it, `note` whether it held."""

    start: float
    held: float = 0.0
    failed: float = math.inf
    tried: list[tuple[float, bool]] = field(default_factory=list)

    def next_rate(self) -> float | None:
        """None: the limit is found, or there is none at or above a hundredth of the start."""
        if len(self.tried) >= RAMP_STEPS_MAX or self.failed < self.start / 100:
            return None
        if not self.tried:
            return self.start
        if math.isinf(self.failed):
            return self.held * RAMP_UP
        if not self.held:
            return self.failed / RAMP_UP
        return None if self.failed / self.held < RAMP_CLOSE else math.sqrt(self.held * self.failed)

    def note(self, rate: float, *, held: bool) -> None:
        self.tried.append((rate, held))
        if held:
            self.held = max(self.held, rate)
        else:
            self.failed = min(self.failed, rate)
