"""bloop's own unexpected errors, in a project of their own beside everybody else's: "bloop itself".

    log.exception(…) ─▶ handler ─▶ queue ─▶ thread ─▶ a lane of the ring, for a moment ─▶ writer

O1  What is logged at ERROR with a traceback is unexpected, for expected trouble is one line. So a handler of the log
    sees all there is to report, whichever thread it happens in and whoever's code it is.
O2  Errors about storing are not reported through storing: the writer reports nothing at all, and nobody what says that
    the database, the buffer or the disk is in trouble (own_report P3).
O3  Reporting never raises, never waits in the thread that erred, and logs its own trouble as one line without a
    traceback. What happens in the reporting thread is not reported. So there is no way round in a circle.
O4  Bounded: QUEUE_MAX wait, repeats and floods are left out and counted (own_report.Pace).
O5  An event goes the way of all others: counted as received, pushed into a lane that is held for the moment. There is
    one to spare (`tuning.EXTRA_LANES`); who needs it for longer waits for it anyway. So the ledger balances here too.
O6  The project is made with the first error, so nobody has it who does not need it. Its key is shown nowhere.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from contextlib import closing
from types import TracebackType
from typing import Any

import apsw

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import DatabaseBusy, LaneUnavailable, RingMissing
from bloop.base.outcomes import Category, Outcome
from bloop.db import connection
from bloop.grouping import v1
from bloop.ingest.dialects.native import parse_event
from bloop.ingest.limits import Limits
from bloop.projects import store as projects
from bloop.projects.read import get_project
from bloop.records.event import Event
from bloop.records.record import EVENT_FORM, encode_event
from bloop.ring import Producer, Segment, Spill
from workers.own_report import Pace, Report, body_of, is_about_storing, place_of, report

QUEUE_MAX = 32
TRIES = 5
TRY_AGAIN_S = 0.5
FLUSH_S = 3.0
LATER = (RingMissing, LaneUnavailable, DatabaseBusy, apsw.BusyError)  # somebody else is in the way for the moment

log = logging.getLogger(__name__)


class OwnErrors(logging.Handler):
    """The handler of one process and of what it forks; the thread is started with the first error."""

    def __init__(self, process: str, settings: Settings) -> None:
        super().__init__(logging.ERROR)
        self._process, self._settings = process, settings
        self._begin()

    def _begin(self) -> None:
        self._pid, self._pace = os.getpid(), Pace()
        self._waiting: queue.Queue[tuple[Report, int]] = queue.Queue(QUEUE_MAX)
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called under the handler's lock, in whatever thread logged."""
        try:
            self._take(record)
        except Exception as error:  # O3: not even the log's own complaint about handlers
            log.warning("an error was not reported: %s", type(error).__name__, extra={"action": "own_error_lost"})

    def flush(self, within_s: float = 0.0) -> None:
        """Give what waits up to `within_s` seconds; for a process that is about to end."""
        deadline = time.monotonic() + within_s
        while self._pid == os.getpid() and self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.01)

    def _take(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or threading.current_thread() is self._thread or is_about_storing(error):
            return
        if self._pid != os.getpid():
            self._begin()  # the thread stayed with our parent
        if not self._pace.allows(place_of(error), int(record.created * 1000)):
            return
        said = report(record, error, process=self._process, settings=self._settings)
        try:
            self._waiting.put_nowait((said, self._pace.left_out))
        except queue.Full:
            self._pace.left_out += 1
            return
        self._pace.left_out = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="own-errors", daemon=True)
            self._thread.start()

    # In the thread

    def _work(self) -> None:
        while True:
            said, left_out = self._waiting.get()
            try:
                self._deliver(said, left_out)
            except Exception as error:
                message = "an error of bloop's own was not recorded: %s: %s"
                log.warning(message, type(error).__name__, error, extra={"action": "own_error_lost"})
            finally:
                self._waiting.task_done()

    def _deliver(self, said: Report, left_out: int) -> None:
        limits = Limits.of(self._settings.ingest)
        event, _ = parse_event(body_of(said, left_out=left_out), limits, clock.now_ms())
        for _ in range(TRIES - 1):
            try:
                send(self._settings, event)
                return
            except LATER:
                time.sleep(TRY_AGAIN_S)
        send(self._settings, event)


def install(process: str, settings: Settings) -> OwnErrors | None:
    """Report what this process logs from now on, also what ends a thread; None where the settings say no."""
    if not settings.server.own_errors:
        return None
    handler = OwnErrors(process, settings)
    logging.getLogger().addHandler(handler)
    threading.excepthook = _log_end_of_thread
    return handler


def send(settings: Settings, event: Event) -> None:
    """Put one event into the ring, as a worker would.

    Raises:
        BloopError, apsw.Error: there is no ring, no lane or no database at the moment.
    """
    project_id, is_new = own_project(settings)
    fingerprint = v1.compute(event.source, event.error_type, event.route, event.message, event.stack)
    record = encode_event(project_id, clock.now_ms(), fingerprint, v1.ALGORITHM, event)
    spilled = settings.ingest.spill_bytes_max
    spill = Spill(settings.spill_folder, spilled, settings.database.disk_free_bytes_min) if spilled else None
    with closing(Segment.attach(settings.ring_name)) as segment, closing(Producer.claim(segment, spill)) as lane:
        if is_new:
            segment.bump_generation()
        lane.count(project_id, Category.EVENT, Outcome.RECEIVED)
        if not lane.push(EVENT_FORM, record):
            lane.count(project_id, Category.EVENT, Outcome.RING_FULL)


def own_project(settings: Settings) -> tuple[int, bool]:
    """The project's number, and whether it was made just now. Never makes a database."""
    path = settings.database_path
    with closing(connection.open_reader(path)) as db:
        found = get_project(db, projects.OWN)
    if found is not None and found.public_id == projects.OWN:
        return found.id, False
    with closing(connection.open_control(path)) as db, connection.immediate(db):
        return projects.ensure_own_project(db, clock.now_ms()), True


def _log_end_of_thread(ended: Any) -> None:
    """In place of Python's own words on stderr."""
    if ended.exc_type is SystemExit:
        return
    trace: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if ended.exc_value is not None:
        trace = (ended.exc_type, ended.exc_value, ended.exc_traceback)
    name = ended.thread.name if ended.thread is not None else "?"
    log.error("the thread %s ended by an unexpected error", name, exc_info=trace, extra={"action": "crashed"})
