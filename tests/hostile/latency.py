"""How long a server takes to answer: health, a page and an event, each on a new connection, one after the other."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

FAILED_MS = 10_000.0  # counted for a request without an answer, and the longest wait for one

Request = Callable[[], int]  # → status


class Latency(NamedTuple):
    p50_ms: float
    p99_ms: float
    count: int

    def __str__(self) -> str:
        return f"{self.p50_ms:.1f} / {self.p99_ms:.1f}"


def measure(requests: Mapping[str, Request], for_s: float) -> dict[str, Latency]:
    """Median and 99th percentile of each request, in the time given or a little more."""
    took_ms: dict[str, list[float]] = {name: [] for name in requests}
    until_s = time.monotonic() + for_s
    while time.monotonic() < until_s:
        for name, request in requests.items():
            took_ms[name].append(_time_ms(request))
    return {name: _latency(sorted(times)) for name, times in took_ms.items()}


def _time_ms(request: Request) -> float:
    started_s = time.monotonic()
    try:
        if request() != 200:
            return FAILED_MS
    except (OSError, http.client.HTTPException):
        return FAILED_MS
    return (time.monotonic() - started_s) * 1000


def _latency(sorted_ms: list[float]) -> Latency:
    last = len(sorted_ms) - 1
    return Latency(sorted_ms[last // 2], sorted_ms[last * 99 // 100], len(sorted_ms))


def worst_ratio(before: Mapping[str, Latency], during: Mapping[str, Latency]) -> float:
    """The largest 99th percentile in terms of the undisturbed one."""
    return max(during[name].p99_ms / before[name].p99_ms for name in before)
