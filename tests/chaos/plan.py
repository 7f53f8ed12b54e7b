"""The order of trials: every fault by itself, one after the other, then combinations until time is up.

The seed determines everything. How many trials run depends on the time, so each has a number, and a failed one can be
repeated alone.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from tests.chaos.faults import FAULTS, Fault
from tests.chaos.trial import Pace, Step, Trial

TOGETHER_MIN, TOGETHER_MAX = 2, 4
STEPS_TOGETHER = 3  # per bloop


def trials(seed: int, pace: Pace, only: Sequence[str] = ()) -> Iterator[Trial]:
    """An endless sequence. With `only`, always these faults together."""
    if only:
        steps = [tuple(FAULTS[name] for name in only)]
        yield from (Trial(steps, seed + number, pace) for number in itertools.count())
    yield Trial([(fault,) for fault in FAULTS.values()], seed, pace)
    for number in itertools.count(1):
        rng = random.Random(seed + number)
        if number % 4 == 0:  # in another order
            yield Trial([(fault,) for fault in rng.sample(list(FAULTS.values()), len(FAULTS))], seed + number, pace)
        else:
            yield Trial([_mixed_step(rng) for _ in range(STEPS_TOGETHER)], seed + number, pace)


def _mixed_step(rng: random.Random) -> Step:
    """Two to four faults at once. Kills come last, while the others last."""
    mixing = [fault for fault in FAULTS.values() if fault.mixes]
    chosen = rng.sample(mixing, rng.randint(TOGETHER_MIN, TOGETHER_MAX))
    return tuple(sorted(chosen, key=_is_kill))


def _is_kill(fault: Fault) -> bool:
    return not fault.is_held
