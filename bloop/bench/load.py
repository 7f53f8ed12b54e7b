"""Runs several generator processes together and adds up their results. They render requests before the common start.

Ctrl-C during an open loop ends it early: the answers until then are the result, with `interrupted` set.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from bloop.bench.driver import Answers, Driver, LoadError
from bloop.bench.rendering import Request
from bloop.bench.schedule import Load, render

START_DELAY_S = 0.3  # from "all are ready" to the common start
READY_WITHIN_S = 120.0


class AnswerTimes:
    """Pairs of (first event number, time.monotonic()), 16 bytes each: a soak has millions of them."""

    def __init__(self, pairs: Iterable[tuple[int, float]] = ()) -> None:
        self._numbers, self._at = array("Q"), array("d")
        self.extend(pairs)

    def extend(self, pairs: Iterable[tuple[int, float]]) -> None:
        for number, at in pairs:
            self._numbers.append(number)
            self._at.append(at)

    def __len__(self) -> int:
        return len(self._at)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return zip(self._numbers, self._at, strict=True)


@dataclass(slots=True)
class LoadResult:
    """The sum over all processes."""

    sent_events: int
    accepted: int
    dropped: int
    invalid: int
    refused: dict[int, int]
    requests: int
    seconds: float
    latency_s: array[float]
    answered: AnswerTimes  # open loop only
    generator_cpu_s: float
    started_at: float
    exhausted: bool  # a closed loop ran out of requests before its time was over
    interrupted: bool = False  # by Ctrl-C; the requests until then are counted

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.seconds

    @property
    def generator_us(self) -> float:
        """CPU of the generator per request."""
        return self.generator_cpu_s / self.requests * 1e6


def run_load(load: Load) -> LoadResult:
    """Render, start everywhere at once, collect.

    Raises:
        LoadError: a generator could not finish its run.
    """
    load = replace(load, timestamp_ms=load.timestamp_ms or time.time_ns() // 1_000_000 - 60_000)
    context = multiprocessing.get_context("spawn")  # a fork would copy the harness's threads' locks
    pipes, children = [], []
    try:
        with _interrupts_ignored():  # children inherit that; this process passes the terminal's Ctrl-C on
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
        parts, interrupted = _collect(pipes, children)
    finally:
        for pipe in pipes:
            pipe.close()
        for child in children:
            child.join(5)
            if child.is_alive():
                child.kill()
                child.join()
            child.close()
    return replace(_added_up(load, parts), interrupted=interrupted)


def _collect(pipes: list[Connection], children: list[SpawnProcess]) -> tuple[list[Answers], bool]:
    """The counts of the generators, and whether Ctrl-C ended them early."""
    parts: list[Answers] = []
    interrupted = False
    while len(parts) < len(pipes):
        try:
            parts.append(_receive(pipes[len(parts)], None))
        except KeyboardInterrupt:
            interrupted = True
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child.pid or 0, signal.SIGUSR1)
    return parts, interrupted


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    was = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, was)


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
    """The main function of a generator process."""
    try:
        requests = render(load, process)
        share = load.connections // load.processes + (process < load.connections % load.processes)
        driver = Driver(load.target.host, load.target.port, share)
        signal.signal(signal.SIGUSR1, driver.stop)
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
    if load.rate or load.stages:
        return driver.open_loop(requests, start_at, load.due_s(process))
    return driver.closed_loop(requests, start_at, load.duration_s)


def _added_up(load: Load, parts: list[Answers]) -> LoadResult:
    latency_s: array[float] = array("d")
    refused: dict[int, int] = {}
    answered = AnswerTimes()
    for process, part in enumerate(parts):
        latency_s.extend(part.latency_s)
        numbers = load.numbers(process)
        answered.extend((numbers[i], at) for i, at in zip(part.index, part.answered_at, strict=True))
        for status, count in part.refused.items():
            refused[status] = refused.get(status, 0) + count
    started_at = min(part.started_at for part in parts)
    requests = sum(part.answered for part in parts)
    return LoadResult(
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
        exhausted=not (load.rate or load.stages) and requests == load.requests,
    )
