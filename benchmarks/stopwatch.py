"""Measures time by step: functions are wrapped for the length of a `with` block and their *own* time is summed.

The time of a wrapped function called by another wrapped one is counted once, for the inner one. Measuring costs about
half a microsecond a call, charged in part to the caller: compare steps with each other, not with an unmeasured run.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Steps:
    """Seconds by label. Not thread-safe: for programs that do one thing at a time."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._clock = clock
        self._inner: list[float] = []  # time spent in wrapped callees, one entry per open call

    @contextmanager
    def measuring(self, *places: tuple[Any, str, str]) -> Iterator[None]:
        """Wrap each (owner, attribute, label) inside the block."""
        saved = [(owner, name, owner.__dict__[name]) for owner, name, _ in places]
        try:
            for owner, name, label in places:
                setattr(owner, name, self.wrap(owner.__dict__[name], label))
            yield
        finally:
            for owner, name, original in saved:
                setattr(owner, name, original)

    def wrap(self, function: Callable[..., Any], label: str) -> Callable[..., Any]:
        """`function`, timed under `label`."""

        clock, inner_times, seconds, calls = self._clock, self._inner, self.seconds, self.calls
        seconds.setdefault(label, 0.0)
        calls.setdefault(label, 0)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:  # `step` written out: a generator would cost 1 µs a call
            inner_times.append(0.0)
            start = clock()
            try:
                return function(*args, **kwargs)
            finally:
                took = clock() - start
                inner = inner_times.pop()
                if inner_times:
                    inner_times[-1] += took
                seconds[label] += took - inner
                calls[label] += 1

        return timed

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        """Time a block under `label`."""
        self._inner.append(0.0)
        start = self._clock()
        try:
            yield
        finally:
            took = self._clock() - start
            inner = self._inner.pop()
            if self._inner:
                self._inner[-1] += took
            self.seconds[label] = self.seconds.get(label, 0.0) + took - inner
            self.calls[label] = self.calls.get(label, 0) + 1
