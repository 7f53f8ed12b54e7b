"""Several generator processes, started together, added up. Rendering happens in them, before the common start."""

from __future__ import annotations

import gc
import multiprocessing
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

from bloop.bench import rendering
from bloop.bench.corpus import Corpus
from bloop.bench.driver import Answers, Driver, LoadError
from bloop.bench.rendering import Request, Target

START_DELAY_S = 0.3  # from "all are ready" to the common start
READY_WITHIN_S = 120.0
CONNECTIONS = 16
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Load:
    """What to send. Event numbers are `first` to `first + requests * batch - 1`, each used once."""

    target: Target
    run: str
    requests: int  # rendered in all; a closed loop may end before they are used up
    first: int = 0
    batch: int = 0  # events per request; 0: the single-event route
    rate: float = 0.0  # requests per second; 0: closed loop
    duration_s: float = 0.0  # of a closed loop
    connections: int = CONNECTIONS
    processes: int = PROCESSES
    timestamp_ms: int = 0

    def numbers(self, process: int) -> range:
        """The first event number of each request of one process: it takes every `processes`-th request."""
        step = max(self.batch, 1)
        end = self.first + self.requests * step
        return range(self.first + process * step, end, self.processes * step)


@dataclass(slots=True)
class Result:
    """The sum over all processes."""

    sent_events: int
    accepted: int
    dropped: int
    invalid: int
    refused: dict[int, int]
    requests: int
    seconds: float
    latency_s: array[float]
    answered: list[tuple[int, float]]  # (first event number, time.monotonic()), open loop only
    generator_cpu_s: float
    started_at: float
    exhausted: bool  # a closed loop ran out of requests before its time was over

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.seconds

    @property
    def generator_us(self) -> float:
        """CPU of the generator per request."""
        return self.generator_cpu_s / self.requests * 1e6


def render(load: Load, process: int) -> list[Request]:
    """The requests of one process, signed."""
    corpus = Corpus(load.run, timestamp_ms=load.timestamp_ms)
    if load.batch:
        return [rendering.batch(load.target, corpus, n, load.batch) for n in load.numbers(process)]
    return [rendering.single(load.target, corpus, n) for n in load.numbers(process)]


def run_load(load: Load) -> Result:
    """Render, start everywhere at once, collect.

    Raises:
        LoadError: a generator could not finish its run.
    """
    load = replace(load, timestamp_ms=load.timestamp_ms or time.time_ns() // 1_000_000 - 60_000)
    context = multiprocessing.get_context("spawn")  # a fork would copy the harness's threads' locks
    pipes, children = [], []
    try:
        for process in range(load.processes):
            ours, theirs = context.Pipe()
            child = context.Process(target=_generate, args=(theirs, load, process), daemon=True)
            child.start()
            theirs.close()
            pipes.append(ours)
            children.append(child)
        for pipe in pipes:
            _receive(pipe, READY_WITHIN_S)
        start_at = time.monotonic() + START_DELAY_S
        for pipe in pipes:
            pipe.send(start_at)
        parts = [_receive(pipe, None) for pipe in pipes]
    finally:
        for pipe in pipes:
            pipe.close()
        for child in children:
            child.join(5)
            if child.is_alive():
                child.kill()
                child.join()
            child.close()
    return _added_up(load, parts)


def _receive(pipe: Connection, within_s: float | None) -> Any:
    if within_s is not None and not pipe.poll(within_s):
        raise LoadError(f"a generator was not ready within {within_s:.0f} s")
    try:
        message = pipe.recv()
    except EOFError:
        raise LoadError("a generator died") from None
    if isinstance(message, Exception):
        raise LoadError(f"a generator gave up: {message}") from message
    return message


def _generate(pipe: Connection, load: Load, process: int) -> None:
    """The life of one generator process."""
    try:
        requests = render(load, process)
        share = load.connections // load.processes + (process < load.connections % load.processes)
        driver = Driver(load.target.host, load.target.port, share)
        gc.disable()
        pipe.send("ready")
        start_at = pipe.recv()
        try:
            pipe.send(_drive(driver, load, process, requests, start_at))
        finally:
            driver.close()
    except (LoadError, OSError) as error:
        pipe.send(LoadError(str(error)))


def _drive(driver: Driver, load: Load, process: int, requests: Sequence[Request], start_at: float) -> Answers:
    if load.rate:
        # Each process takes every n-th tick of one common schedule.
        return driver.open_loop(requests, start_at + process / load.rate, load.processes / load.rate)
    return driver.closed_loop(requests, start_at, load.duration_s)


def _added_up(load: Load, parts: list[Answers]) -> Result:
    latency_s: array[float] = array("d")
    refused: dict[int, int] = {}
    answered: list[tuple[int, float]] = []
    for process, part in enumerate(parts):
        latency_s.extend(part.latency_s)
        numbers = load.numbers(process)
        answered += [(numbers[i], at) for i, at in zip(part.index, part.answered_at, strict=True)]
        for status, count in part.refused.items():
            refused[status] = refused.get(status, 0) + count
    started_at = min(part.started_at for part in parts)
    requests = sum(part.answered for part in parts)
    return Result(
        sent_events=requests * max(load.batch, 1),
        accepted=sum(part.accepted for part in parts),
        dropped=sum(part.dropped for part in parts),
        invalid=sum(part.invalid for part in parts),
        refused=refused,
        requests=requests,
        seconds=max(part.ended_at for part in parts) - started_at,
        latency_s=latency_s,
        answered=answered,
        generator_cpu_s=sum(part.cpu_s for part in parts),
        started_at=started_at,
        exhausted=not load.rate and requests == load.requests,
    )
