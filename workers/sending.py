"""Deliveries on their way: a few attempts at a time, each in a thread of its own; the main thread notes the answers.

N1  One attempt at a time for each delivery and for each channel: a receiver gets messages in order, and a slow or dead
    one takes one place of THREADS_MAX at a time. Places go to channels whose last attempt is longest ago, so even many
    dead ones leave the others their turn.
N2  What a receiver answered is kept until it is noted, however long the database is locked or full, and not tried
    again before. A kill in between repeats the attempt with the same message key.
N3  Threads know neither the database nor this object, only a queue for the answer. At the end they get FINISH_S; what
    is not back by then is tried again by the next process.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable

import apsw

from bloop.alerts.channels import Result
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.retries import WAIT_MAX_S, wait_ms
from bloop.alerts.firing import read as alerts
from bloop.alerts.firing.read import Due
from bloop.base import clock
from bloop.db import connection
from bloop.health.read import Reason

THREADS_MAX = 8
FINISH_S = 5.0
POLL_S = 0.2
POLL_IN_FLIGHT_S = 0.01  # the sooner an answer is noted, the less a kill repeats

log = logging.getLogger("bloop.alerts")

Send = Callable[[Due], Result]
Answers = queue.SimpleQueue[tuple[Due, Result]]


class Sender:
    """`send` makes one attempt; it runs in threads and may take its time. Everything else: main thread only."""

    def __init__(self, db: apsw.Connection, send: Send, *, jitter: Callable[[], float] = random.random) -> None:
        self._db, self._send, self._jitter = db, send, jitter
        self._in_flight: dict[tuple[str, int | None], Due] = {}
        self._tried_at: dict[tuple[str, int | None], float] = {}  # monotonic
        self._answers: Answers = queue.SimpleQueue()
        self._unnoted: list[tuple[Due, Result]] = []
        self._seen = (-1, -1)
        self._next_ms: int | None = None
        self._failing = False

    def run(self) -> float:
        """Note what came back, start what is due; cheap while nothing changed."""
        self._note()
        now_ms, version = clock.now_ms(), version_of(self._db)
        if version != self._seen or (self._next_ms is not None and now_ms >= self._next_ms):
            self._failing = alerts.any_failed(self._db)
            self._start(now_ms)
            self._next_ms = alerts.next_try_at_ms(self._db)
            self._seen = version
        return POLL_IN_FLIGHT_S if self._in_flight else POLL_S

    def troubles(self) -> Iterable[Reason]:
        return (Reason.DELIVERIES_FAILING,) if self._failing else ()

    def finish(self) -> None:
        """Wait a little for what is on its way (N3)."""
        deadline = time.monotonic() + FINISH_S
        while self._in_flight and time.monotonic() < deadline:
            self._note()
            time.sleep(POLL_IN_FLIGHT_S)

    def _start(self, now_ms: int) -> None:
        found = alerts.due(self._db, now_ms, wait_ms=round(WAIT_MAX_S * 1000))
        ready = [due for due in found if _channel(due) not in self._in_flight]
        ready.sort(key=lambda due: self._tried_at.get(_channel(due), float("-inf")))
        for due in ready[: THREADS_MAX - len(self._in_flight)]:
            self._in_flight[_channel(due)] = due
            self._tried_at[_channel(due)] = time.monotonic()
            arguments = (self._send, due, self._answers)
            threading.Thread(target=_attempt, args=arguments, name=f"deliver-{due.id}", daemon=True).start()

    def _note(self) -> None:
        """Raises: apsw.Error; then everything is still to be noted."""
        while not self._answers.empty():
            self._unnoted.append(self._answers.get())
        if not self._unnoted:
            return
        with connection.immediate(self._db):
            for due, result in self._unnoted:
                self._note_one(due, result, clock.now_ms())
        for due, _ in self._unnoted:
            del self._in_flight[_channel(due)]
        self._unnoted.clear()

    def _note_one(self, due: Due, result: Result, now_ms: int) -> None:
        if result.state == "sent":
            deliveries.sent(self._db, due.id, status=result.status, now_ms=now_ms)
            return
        if result.state == "skipped":
            deliveries.skip(self._db, due.id, why=result.detail)
            return
        wait = wait_ms(due.attempts + 1, result.retry_after_s, self._jitter()) if result.state == "retry" else None
        if wait is None:
            deliveries.give_up(self._db, due.id, error=result.detail, status=result.status)
        else:
            deliveries.again(self._db, due.id, next_try_at_ms=now_ms + wait, error=result.detail, status=result.status)
        if wait is not None and result.retry_after_s:
            deliveries.pause(self._db, due.channel_type, due.channel_id, now_ms + wait)
        message = "delivery %d to a %s channel, try %d, came to nothing: %s"
        arguments = (due.id, due.channel_type, due.attempts + 1, result.detail)
        log.warning(
            message, *arguments, extra={"action": "delivery_given_up" if wait is None else "delivery_postponed"}
        )


def version_of(db: apsw.Connection) -> tuple[int, int]:
    """Changes with every commit to the database, other connections' and our own."""
    return db.pragma("data_version"), db.total_changes()


def _channel(due: Due) -> tuple[str, int | None]:
    return due.channel_type, due.channel_id


def _attempt(send: Send, due: Due, answers: Answers) -> None:
    try:
        result = send(due)
    except Exception as error:  # a defect of ours: the answer must come, or the channel would wait for ever
        log.exception("an attempt failed unexpectedly", extra={"action": "delivery_failed"})
        result = Result("retry", f"bloop could not send it: {type(error).__name__}")
    answers.put((due, result))
