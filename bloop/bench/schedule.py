"""What is sent, and when: the description of a load, its schedule, and the requests made of both."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, NamedTuple

from bloop.bench import rendering
from bloop.bench.bodies import Body, bodies
from bloop.bench.corpus import ISSUES
from bloop.bench.rendering import Request, Target

CONNECTIONS = 16
PROCESSES = 2


class Stage(NamedTuple):
    """A part of an open loop."""

    seconds: float
    rate: float  # requests per second

    @property
    def requests(self) -> int:
        return int(self.seconds * self.rate)


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. Event numbers are `first` to `first + requests * batch - 1`, each used once."""

    target: Target
    run: str
    requests: int  # rendered in all; a closed loop may end before they are used up
    first: int = 0
    batch: int = 0  # events per request; 0: the single-event route
    rate: float = 0.0  # requests per second; 0: closed loop
    stages: tuple[Stage, ...] = ()  # in place of a rate: an open loop whose rate changes
    body: Body = Body.TYPICAL
    issues: int = ISSUES  # that typical events are spread over
    lazy: bool = False  # render each request when it is due: no memory, and a little of its latency
    duration_s: float = 0.0  # of a closed loop
    connections: int = CONNECTIONS
    processes: int = PROCESSES
    timestamp_ms: int = 0

    def due_s(self, process: int) -> array[float]:
        """When the requests of one process are due, in seconds after the common start: every n-th of one schedule."""
        return array("d", islice(self.schedule(), process, self.requests, self.processes))

    def schedule(self) -> Iterator[float]:
        """When request k is due; the last rate goes on for ever."""
        started = 0.0
        stages = self.stages or (Stage(0.0, self.rate),)
        for stage in stages[:-1]:
            yield from (started + k / stage.rate for k in range(stage.requests))
            started += stage.seconds
        yield from (started + k / stages[-1].rate for k in count())

    def numbers(self, process: int) -> range:
        """The first event number of each request of one process: it takes every `processes`-th request."""
        step = max(self.batch, 1)
        end = self.first + self.requests * step
        return range(self.first + process * step, end, self.processes * step)


class Rendered(Sequence[Request]):
    """The requests of one process, signed, each made when it is asked for."""

    def __init__(self, load: Load, process: int) -> None:
        self._load, self._numbers = load, load.numbers(process)
        self._corpus = bodies(load.body, load.run, load.timestamp_ms, load.issues)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        load, n = self._load, self._numbers[index]
        if load.batch:
            return rendering.batch(load.target, self._corpus, n, load.batch)
        return rendering.single(load.target, self._corpus, n)


def render(load: Load, process: int) -> Sequence[Request]:
    """The requests of one process, made at once unless the load is lazy."""
    requests = Rendered(load, process)
    return requests if load.lazy else list(requests)
