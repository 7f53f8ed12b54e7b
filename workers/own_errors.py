"""Reports bloop's own unexpected errors to a separate project, "bloop itself".

    log.exception(…) ─▶ handler ─▶ queue ─▶ thread ─▶ a lane of the ring, for a moment ─▶ writer

ERRORS-1  A record logged at ERROR with a traceback is unexpected; expected trouble is logged as one line. So one log
    handler sees every error to report, from any thread and any library.
ERRORS-2  Errors about storing are not reported through storing: the writer reports nothing, and no process reports an
    error that means trouble with the database, the ring or the disk (REPORT-3).
ERRORS-3  Reporting never raises, never waits in the thread that logged, and logs its own trouble as one line without a
    traceback. Errors of the reporting thread are not reported. So reporting cannot cause itself.
ERRORS-4  Bounded: QUEUE_MAX reports wait; repeats and floods are left out and counted (own_report.ReportLimiter).
ERRORS-5  An event takes the same path as all others: counted as received, pushed into a lane that is claimed for the
    moment. One lane is spare (`tuning.EXTRA_LANES`); a process that needs it for longer waits for it anyway. So the
    ledger balances.
ERRORS-6  The project is created with the first error, so most installations never have it. Its key is shown nowhere.
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

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import DatabaseBusy, LaneUnavailable, RingMissing
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.ingest.compose import accept_event, take_in
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.projects import store as projects
from bloop.projects.read import get_project
from bloop.records.event import Event
from bloop.ring import Producer, Segment, Spill
from workers.own_report import (
    ErrorReport,
    ReportLimiter,
    error_location,
    event_body,
    is_about_storing,
    make_report,
)

QUEUE_MAX = 32
TRIES = 5
TRY_AGAIN_S = 0.5
FLUSH_S = 3.0
LATER = (RingMissing, LaneUnavailable, DatabaseBusy, db_errors.BusyError)  # another process holds it for the moment

log = logging.getLogger(__name__)


class OwnErrorHandler(logging.Handler):
    """The log handler of one process and its forks; the first error starts the thread."""

    def __init__(self, process: str, settings: Settings) -> None:
        super().__init__(logging.ERROR)
        self._process, self._settings = process, settings
        self._begin()

    def _begin(self) -> None:
        self._pid, self._limiter = os.getpid(), ReportLimiter()
        self._waiting: queue.Queue[tuple[ErrorReport, int]] = queue.Queue(QUEUE_MAX)
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called under the handler's lock, in the thread that logged."""
        try:
            self._take(record)
        except Exception as error:  # ERRORS-3: avoid even logging's own report of failing handlers
            log.warning("an error was not reported: %s", type(error).__name__, extra={"action": "own_error_lost"})

    def flush(self, within_s: float = 0.0) -> None:
        """Wait up to `within_s` seconds for queued reports; for a process that is about to end."""
        deadline = time.monotonic() + within_s
        while self._pid == os.getpid() and self._waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.01)

    def _take(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or threading.current_thread() is self._thread or is_about_storing(error):
            return
        if self._pid != os.getpid():
            self._begin()  # a fork does not copy the parent's thread
        if not self._limiter.allows(error_location(error), int(record.created * 1000)):
            return
        report = make_report(record, error, process=self._process, settings=self._settings)
        try:
            self._waiting.put_nowait((report, self._limiter.left_out))
        except queue.Full:
            self._limiter.left_out += 1
            return
        self._limiter.left_out = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="own-errors", daemon=True)
            self._thread.start()

    # In the thread

    def _work(self) -> None:
        while True:
            report, left_out = self._waiting.get()
            try:
                self._deliver(report, left_out)
            except Exception as error:
                message = "an error of bloop's own was not recorded: %s: %s"
                log.warning(message, type(error).__name__, error, extra={"action": "own_error_lost"})
            finally:
                self._waiting.task_done()

    def _deliver(self, report: ErrorReport, left_out: int) -> None:
        limits = Limits.of(self._settings.ingest)
        event, _ = parse_event(event_body(report, left_out=left_out), limits, clock.now_ms())
        for _ in range(TRIES - 1):
            try:
                send(self._settings, event)
                return
            except LATER:
                time.sleep(TRY_AGAIN_S)
        send(self._settings, event)


def install(process: str, settings: Settings) -> OwnErrorHandler | None:
    """Report the errors this process logs from now on, and those that end a thread; None if settings switch it off."""
    if not settings.server.own_errors:
        return None
    handler = OwnErrorHandler(process, settings)
    logging.getLogger().addHandler(handler)
    threading.excepthook = _log_end_of_thread
    return handler


def send(settings: Settings, event: Event) -> None:
    """Put one event into the ring, as an ingest worker does.

    Raises:
        BloopError, db_errors.Error: the ring, a lane or the database is not available at the moment.
    """
    project_id, is_new = own_project(settings)
    spilled = settings.ingest.spill_bytes_max
    spill = Spill(settings.spill_folder, spilled, settings.database.disk_free_bytes_min) if spilled else None
    with closing(Segment.attach(settings.ring_name)) as segment, closing(Producer.claim(segment, spill)) as lane:
        if is_new:
            segment.bump_generation()
        take_in(lane, project_id, clock.now_ms(), accept_event(event, fingerprint=None))


def own_project(settings: Settings) -> tuple[int, bool]:
    """The id of the project, created if missing, and whether this call created it. Never creates a database."""
    path = settings.database_path
    with closing(connection.open_reader(path)) as db:
        project = get_project(db, projects.OWN)
    if project is not None and project.public_id == projects.OWN:
        return project.id, False
    with closing(connection.open_control(path)) as db, connection.immediate(db):
        return projects.ensure_own_project(db, clock.now_ms()), True


def _log_end_of_thread(ending: Any) -> None:
    """Replaces Python's traceback on stderr."""
    if ending.exc_type is SystemExit:
        return
    trace: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if ending.exc_value is not None:
        trace = (ending.exc_type, ending.exc_value, ending.exc_traceback)
    name = ending.thread.name if ending.thread is not None else "?"
    log.error("the thread %s ended by an unexpected error", name, exc_info=trace, extra={"action": "crashed"})
