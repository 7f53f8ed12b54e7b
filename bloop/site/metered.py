"""Counts and times the answers of the dashboard process, by declared route. In memory only."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import Any

import falcon

from bloop.base.meters import ANSWER_BOUNDS_NS, ANSWER_BOUNDS_S, NO_ROUTE, NS, OTHER, Answer, HistogramReading

_METHODS = frozenset(falcon.HTTP_METHODS)


class AnswerMeter:
    """Counts and durations by route. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Answer, int] = {}
        self._took: dict[str, list[int]] = {}

    def add(self, answer: Answer, took_ns: int) -> None:
        slot = bisect_left(ANSWER_BOUNDS_NS, took_ns)
        with self._lock:
            self._answers[answer] = self._answers.get(answer, 0) + 1
            cell = self._took.setdefault(answer.route, [0] * (len(ANSWER_BOUNDS_NS) + 2))
            cell[slot] += 1
            cell[-1] += took_ns

    def answers(self) -> dict[Answer, int]:
        with self._lock:
            return dict(self._answers)

    def took(self) -> dict[str, HistogramReading]:
        with self._lock:
            cells = self._took.items()
            return {route: HistogramReading(ANSWER_BOUNDS_S, cell[:-1], cell[-1] / NS) for route, cell in cells}


class MeterAnswers:
    """Middleware; the first one, so that it measures all others too."""

    def __init__(self, answered: AnswerMeter) -> None:
        self._answered = answered

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.context.metered = (req.method, time.perf_counter_ns())

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        method, started_ns = req.context.metered
        answer = Answer(
            method if method in _METHODS else OTHER,
            (req.uri_template or NO_ROUTE).replace(":ref}", "}").replace(":int}", "}"),
            str(resp.status_code),
        )
        self._answered.add(answer, time.perf_counter_ns() - started_ns)
