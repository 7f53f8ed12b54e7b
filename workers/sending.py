"""Sends deliveries: a few attempts at a time, each in a thread of its own; the main thread records the results.

SENDING-1  One attempt at a time for each delivery and for each channel: a receiver gets messages in order, and a slow
    or dead one takes one of the THREADS_MAX threads. Channels whose last attempt is longest ago come first, so many
    dead channels do not starve the others.
SENDING-2  A result is kept until it is recorded, even while the database is locked or full, and its delivery is not
    tried again before. A kill in between repeats the attempt with the same message key.
SENDING-3  Threads know neither the database nor this object, only a queue for results. At the end they get FINISH_S;
    the next process repeats attempts without a result.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterable

from bloop.alerts.channels import Result
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.retries import WAIT_MAX_S, wait_ms
from bloop.alerts.deliveries.store import Attempt
from bloop.alerts.firing import read as alerts
from bloop.alerts.firing.read import DueDelivery
from bloop.base import clock
from bloop.base.reasons import Reason
from bloop.db import connection
from bloop.db.engine import Db

THREADS_MAX = 8
FINISH_S = 5.0
POLL_S = 0.2
POLL_IN_FLIGHT_S = 0.01  # the sooner a result is recorded, the fewer attempts a kill repeats

log = logging.getLogger("bloop.alerts")

Send = Callable[[DueDelivery], Result]
Answers = queue.SimpleQueue[tuple[DueDelivery, Result, int]]  # how long the attempt took, in ms


class Sender:
    """`send` makes one attempt; it runs in threads and may take its time. Everything else: main thread only."""

    def __init__(self, db: Db, send: Send, *, jitter: Callable[[], float] = random.random) -> None:
        self._db, self._send, self._jitter = db, send, jitter
        self._in_flight: dict[tuple[str, int | None], DueDelivery] = {}
        self._tried_at: dict[tuple[str, int | None], float] = {}  # monotonic
        self._answers: Answers = queue.SimpleQueue()
        self._unrecorded: list[tuple[DueDelivery, Result, int]] = []
        self._seen = (-1, -1)
        self._next_ms: int | None = None
        self._failing = False

    def run(self) -> float:
        """Record the results that came back, start the attempts that are due; cheap while nothing changed."""
        self._record()
        now_ms, version = clock.now_ms(), connection.database_version(self._db)
        if version != self._seen or (self._next_ms is not None and now_ms >= self._next_ms):
            self._failing = alerts.any_failed(self._db)
            self._start(now_ms)
            self._next_ms = alerts.next_try_at_ms(self._db)
            self._seen = version
        return POLL_IN_FLIGHT_S if self._in_flight else POLL_S

    def troubles(self) -> Iterable[Reason]:
        return (Reason.DELIVERIES_FAILING,) if self._failing else ()

    def finish(self) -> None:
        """Wait up to FINISH_S for attempts in flight (SENDING-3)."""
        deadline = time.monotonic() + FINISH_S
        while self._in_flight and time.monotonic() < deadline:
            self._record()
            time.sleep(POLL_IN_FLIGHT_S)

    def _start(self, now_ms: int) -> None:
        deliveries_due = alerts.list_due_deliveries(self._db, now_ms, wait_ms=round(WAIT_MAX_S * 1000))
        ready = [due for due in deliveries_due if _channel(due) not in self._in_flight]
        ready.sort(key=lambda due: self._tried_at.get(_channel(due), float("-inf")))
        for due in ready[: THREADS_MAX - len(self._in_flight)]:
            self._in_flight[_channel(due)] = due
            self._tried_at[_channel(due)] = time.monotonic()
            arguments = (self._send, due, self._answers)
            threading.Thread(target=_attempt, args=arguments, name=f"deliver-{due.id}", daemon=True).start()

    def _record(self) -> None:
        """Record every result that came back. When this raises db_errors.Error, the next call records all of them."""
        while not self._answers.empty():
            self._unrecorded.append(self._answers.get())
        if not self._unrecorded:
            return
        with connection.immediate(self._db):
            for due, result, duration_ms in self._unrecorded:
                attempt = Attempt(duration_ms, result.answer or None if due.is_test else None)
                self._record_result(due, result, attempt, clock.now_ms())
        for due, *_ in self._unrecorded:
            del self._in_flight[_channel(due)]
        self._unrecorded.clear()

    def _record_result(self, due: DueDelivery, result: Result, attempt: Attempt, now_ms: int) -> None:
        if result.state == "sent":
            deliveries.mark_sent(self._db, due.id, status=result.status, now_ms=now_ms, attempt=attempt)
            return
        if result.state == "skipped":
            deliveries.mark_skipped(self._db, due.id, why=result.detail)
            return
        wait = wait_ms(due.attempts + 1, result.retry_after_s, self._jitter()) if result.state == "retry" else None
        if wait is None:
            deliveries.mark_failed(
                self._db, due.id, error=result.detail, status=result.status, now_ms=now_ms, attempt=attempt
            )
        else:
            deliveries.schedule_retry(
                self._db,
                due.id,
                next_try_at_ms=now_ms + wait,
                error=result.detail,
                status=result.status,
                attempt=attempt,
            )
        if wait is not None and result.retry_after_s:
            deliveries.pause_channel(self._db, due.channel_type, due.channel_id, now_ms + wait)
        message = "delivery %d to a %s channel, try %d, failed: %s"
        arguments = (due.id, due.channel_type, due.attempts + 1, result.detail)
        log.warning(
            message, *arguments, extra={"action": "delivery_given_up" if wait is None else "delivery_postponed"}
        )


def _channel(due: DueDelivery) -> tuple[str, int | None]:
    return due.channel_type, due.channel_id


def _attempt(send: Send, due: DueDelivery, answers: Answers) -> None:
    started = time.monotonic()
    try:
        result = send(due)
    except Exception as error:  # a bug in bloop: without a result the channel would wait forever
        log.exception("an attempt failed unexpectedly", extra={"action": "delivery_failed"})
        result = Result("retry", f"bloop could not send it: {type(error).__name__}")
    answers.put((due, result, round((time.monotonic() - started) * 1000)))
