"""Which trials, in which order: every fault by itself, all one after the other, then together until time is up.

Everything follows from the seed. How far it gets depends on the time, so a trial has a number, and a failed one can be
had again by itself.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.trial import Pace, Step, Trial

TOGETHER_MIN, TOGETHER_MAX = 2, 4
STEPS_TOGETHER = 3  # in one bloop


def trials(seed: int, pace: Pace, only: Sequence[str] = ()) -> Iterator[Trial]:
    """Without end. With `only`, these together, again and again."""
    if only:
        steps = [tuple(FAULTS[name] for name in only)]
        yield from (Trial(steps, seed + number, pace) for number in itertools.count())
    yield Trial([(fault,) for fault in FAULTS.values()], seed, pace)
    for number in itertools.count(1):
        rng = random.Random(seed + number)
        if number % 4 == 0:  # in another order
            yield Trial([(fault,) for fault in rng.sample(list(FAULTS.values()), len(FAULTS))], seed + number, pace)
        else:
            yield Trial([_together(rng) for _ in range(STEPS_TOGETHER)], seed + number, pace)


def _together(rng: random.Random) -> Step:
    """Two to four faults at once. Kills come last, into what the others have made of it."""
    mixing = [fault for fault in FAULTS.values() if fault.mixes]
    chosen = rng.sample(mixing, rng.randint(TOGETHER_MIN, TOGETHER_MAX))
    return tuple(sorted(chosen, key=_is_kill))


def _is_kill(fault: Fault) -> bool:
    return not fault.is_held
