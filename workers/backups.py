"""The backup job of the retention process: when one is due or asked for, a thread makes it, and this writes down how it
went.

    asked or due ──▶ copy, check, pack, name ──▶ restore drill ──▶ remove those beyond `backup.keep`

J1  The work is a thread's, because minutes of it must not keep the process's other jobs waiting, and SQLite, zstd and
    SHA-256 all let go of the GIL. It has the lowest priority there is; the job's own runs take no time.
J2  The thread touches files, the job touches rows: it notes the attempt before the thread begins.
J3  A stop ends the work within a moment; nothing half made is kept. Like an attempt that was killed it is found
    `interrupted` at the next start and made up after a pause, but is no reason to warn anybody.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import apsw

from bloop.backup import folder as folders
from bloop.backup import read as query
from bloop.backup import store as storage
from bloop.backup.create import create
from bloop.backup.folder import Entry
from bloop.backup.manifest import Cause
from bloop.backup.read import RunRow
from bloop.backup.schedule import due_at_ms
from bloop.backup.verify import drill
from bloop.backup.watch import Stopped, Watch
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.db import connection
from bloop.health.read import Reason

LOOK_EVERY_S = 1.0  # whether somebody asked, or it is time
LOOK_AT_WORK_EVERY_S = 0.5
STOP_S = 8.0  # below what the supervisor allows the process
NICE = 19

log = logging.getLogger("bloop.backup")


@dataclass(slots=True)
class Outcome:
    """What came of an attempt. `error` may come with a file: it was made, and did not restore."""

    entry: Entry | None = None
    proven_at_ms: int | None = None
    error: str | None = None
    stopped: bool = False


class Backups:
    """The job; `run`, `troubles` and `finish` are called by the process's main thread."""

    def __init__(self, settings: Settings, db: apsw.Connection, now_ms: Callable[[], int] = clock.now_ms) -> None:
        self._settings, self._db, self._now_ms = settings, db, now_ms
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._run_id = 0
        self._outcome = Outcome()
        self._failing = False
        self._is_first = True

    def run(self) -> float:
        if self._is_first:
            with connection.immediate(self._db):
                storage.interrupt(self._db)
            self._failing = query.failing(self._db) is not None
            self._is_first = False
        if self._thread is not None:
            if self._thread.is_alive():
                return LOOK_AT_WORK_EVERY_S
            self._note()
        wanted = self._wanted()
        if wanted is not None:
            self._start(wanted)
            return LOOK_AT_WORK_EVERY_S
        return LOOK_EVERY_S

    def troubles(self) -> Iterable[Reason]:
        return [Reason.BACKUP_FAILING] if self._failing else []

    def finish(self) -> None:
        """End what is being made; the attempt stays `running` and is found at the next start (J3)."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if not self._thread.is_alive():
                self._note()

    def _wanted(self) -> RunRow | None:
        """The attempt that waits, or a new one when the schedule says so."""
        waiting = query.open_run(self._db)
        if waiting is not None:
            return waiting
        now_ms = self._now_ms()
        if not self._settings.backup.enabled:
            return None
        if now_ms < due_at_ms(self._settings.backup.hour, query.past(self._db), now_ms):
            return None
        with connection.immediate(self._db):
            return storage.ask(self._db, cause=Cause.SCHEDULE, asked_by=None, now_ms=now_ms)

    def _start(self, run: RunRow) -> None:
        with connection.immediate(self._db):
            storage.begin(self._db, run.id, self._now_ms())
            bad = query.bad_files(self._db)
        self._run_id, self._outcome = run.id, Outcome()
        self._thread = threading.Thread(
            target=self._work, args=(Cause(run.cause), bad, self._outcome), name="backup", daemon=True
        )
        self._thread.start()
        log.info("making a backup in %s", self._settings.backup_dir, extra={"action": "backup_started"})

    def _note(self) -> None:
        """Write down how it went. Raises apsw.Error when the database does not take it, and is called again then."""
        outcome, manifest = self._outcome, self._outcome.entry and self._outcome.entry.manifest
        if not outcome.stopped:
            with connection.immediate(self._db):
                storage.end(
                    self._db,
                    self._run_id,
                    now_ms=self._now_ms(),
                    file=outcome.entry.path.name if outcome.entry else None,
                    file_bytes=manifest.file_bytes if manifest else None,
                    database_bytes=manifest.database_bytes if manifest else None,
                    proven_at_ms=outcome.proven_at_ms,
                    error=outcome.error,
                )
            self._failing = outcome.error is not None
            _say(outcome)
        self._thread = None

    # In the thread

    def _work(self, cause: Cause, bad: frozenset[str], outcome: Outcome) -> None:
        with contextlib.suppress(OSError):  # a hardened unit may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)  # on Linux of this thread alone
        try:
            self._make(cause, bad, outcome)
        except Stopped:
            outcome.stopped = True
        except (BloopError, OSError, apsw.Error) as error:
            outcome.error = f"{error}" if isinstance(error, BloopError) else f"{type(error).__name__}: {error}"
        except Exception as error:
            log.exception("the backup failed unexpectedly", extra={"action": "backup_failed"})
            outcome.error = f"unexpected error: {type(error).__name__}"

    def _make(self, cause: Cause, bad: frozenset[str], outcome: Outcome) -> None:
        settings, folder = self._settings, self._settings.backup_dir
        watch = Watch(self._stop.is_set, free_bytes_min=settings.database.disk_free_bytes_min)
        outcome.entry = entry = create(settings.database_path, folder, self._now_ms(), cause=cause, watch=watch)
        try:
            if settings.backup.drill:
                drill(entry.path, self._now_ms(), watch)
                outcome.proven_at_ms = self._now_ms()
        except Stopped:  # it is whole; that it restores is for the next one to show
            pass
        except (BloopError, OSError, apsw.Error) as error:
            bad |= {entry.path.name}
            outcome.error = f"the restore drill failed: {error}"
        own_id = entry.manifest.database_id
        folders.rotate(folder, database_id=own_id, keep=settings.backup.keep, bad=bad, watch=watch)


def _say(outcome: Outcome) -> None:
    if outcome.error is not None:
        log.error("the backup failed: %s", outcome.error, extra={"action": "backup_failed"})
    elif outcome.entry is not None:
        made = outcome.entry.manifest
        message = "made a backup of %d bytes, packed %d, in %.1f s; restored on trial: %s"
        proven = "yes" if outcome.proven_at_ms else "no"
        took_s = made.duration_ms / 1000
        log.info(message, made.database_bytes, made.file_bytes, took_s, proven, extra={"action": "backup_made"})
