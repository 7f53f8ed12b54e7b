"""The backup job of the retention process: makes due and requested backups in a thread and records their results.

    requested or due ──▶ copy, check, pack, name ──▶ restore drill ──▶ remove those beyond `backup.keep`

BACKUPS-1  A thread does the work, because it takes minutes and must not block the process's other jobs, and SQLite,
    zstd and SHA-256 all release the GIL. It has the lowest priority; the job's own runs take no time.
BACKUPS-2  The thread touches files, the job touches rows: it records the attempt before the thread begins.
BACKUPS-3  A stop ends the work within a second; no partial backup is kept. Like a killed attempt, it is found
    `interrupted` at the next start and made up after a pause, without a warning.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bloop.backup import folder as folders
from bloop.backup import read as query
from bloop.backup import store as storage
from bloop.backup.create import create
from bloop.backup.folder import Entry
from bloop.backup.manifest import Cause
from bloop.backup.read import BackupRunRow
from bloop.backup.schedule import due_at_ms
from bloop.backup.verify import drill
from bloop.backup.watch import Stopped, Watch
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.base.reasons import Reason
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.engine import Db

LOOK_EVERY_S = 1.0  # whether a backup was requested or is due
LOOK_AT_WORK_EVERY_S = 0.5
STOP_S = 8.0  # below what the supervisor allows the process
NICE = 19

log = logging.getLogger("bloop.backup")


@dataclass(slots=True)
class BackupOutcome:
    """The result of an attempt. With both `entry` and `error`, the backup was made but did not restore."""

    entry: Entry | None = None
    proven_at_ms: int | None = None
    error: str | None = None
    stopped: bool = False


class BackupJob:
    """The job; the process's main thread calls `run`, `troubles` and `finish`."""

    def __init__(self, settings: Settings, db: Db, now_ms: Callable[[], int] = clock.now_ms) -> None:
        self._settings, self._db, self._now_ms = settings, db, now_ms
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._run_id = 0
        self._result = BackupOutcome()
        self._failing = False
        self._is_first = True

    def run(self) -> float:
        if self._is_first:
            with connection.immediate(self._db):
                storage.mark_interrupted(self._db)
            self._failing = query.failing(self._db) is not None
            self._is_first = False
        if self._thread is not None:
            if self._thread.is_alive():
                return LOOK_AT_WORK_EVERY_S
            self._record()
        run = self._next_run()
        if run is not None:
            self._start(run)
            return LOOK_AT_WORK_EVERY_S
        return LOOK_EVERY_S

    def troubles(self) -> Iterable[Reason]:
        return [Reason.BACKUP_FAILING] if self._failing else []

    def finish(self) -> None:
        """Stop the backup in progress; its attempt stays `running` and is found at the next start (BACKUPS-3)."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S)
            if not self._thread.is_alive():
                self._record()

    def _next_run(self) -> BackupRunRow | None:
        """The waiting attempt, or a new one when the schedule has one due."""
        waiting = query.open_run(self._db)
        if waiting is not None:
            return waiting
        now_ms = self._now_ms()
        if not self._settings.backup.enabled:
            return None
        if now_ms < due_at_ms(self._settings.backup.hour, query.schedule_history(self._db), now_ms):
            return None
        with connection.immediate(self._db):
            return storage.request(self._db, cause=Cause.SCHEDULE, asked_by=None, now_ms=now_ms)

    def _start(self, run: BackupRunRow) -> None:
        with connection.immediate(self._db):
            storage.begin(self._db, run.id, self._now_ms())
            bad = query.bad_files(self._db)
        self._run_id, self._result = run.id, BackupOutcome()
        self._thread = threading.Thread(
            target=self._work, args=(Cause(run.cause), bad, self._result), name="backup", daemon=True
        )
        self._thread.start()
        log.info("making a backup in %s", self._settings.backup_dir, extra={"action": "backup_started"})

    def _record(self) -> None:
        """Record the result. Raises db_errors.Error when the database refuses it; the next run tries again."""
        result, manifest = self._result, self._result.entry and self._result.entry.manifest
        if not result.stopped:
            with connection.immediate(self._db):
                storage.end(
                    self._db,
                    self._run_id,
                    now_ms=self._now_ms(),
                    file=result.entry.path.name if result.entry else None,
                    file_bytes=manifest.file_bytes if manifest else None,
                    database_bytes=manifest.database_bytes if manifest else None,
                    proven_at_ms=result.proven_at_ms,
                    error=result.error,
                )
            self._failing = result.error is not None
            _log_result(result)
        self._thread = None

    # In the thread

    def _work(self, cause: Cause, bad: frozenset[str], result: BackupOutcome) -> None:
        with contextlib.suppress(OSError):  # a hardened unit may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)  # on Linux of this thread alone
        try:
            self._make(cause, bad, result)
        except Stopped:
            result.stopped = True
        except (BloopError, OSError, db_errors.Error) as error:
            result.error = f"{error}" if isinstance(error, BloopError) else f"{type(error).__name__}: {error}"
        except Exception as error:
            log.exception("the backup failed unexpectedly", extra={"action": "backup_failed"})
            result.error = f"unexpected error: {type(error).__name__}"

    def _make(self, cause: Cause, bad: frozenset[str], result: BackupOutcome) -> None:
        settings, folder = self._settings, self._settings.backup_dir
        watch = Watch(self._stop.is_set, free_bytes_min=settings.database.disk_free_bytes_min)
        result.entry = entry = create(settings.database_path, folder, self._now_ms(), cause=cause, watch=watch)
        try:
            if settings.backup.drill:
                drill(entry.path, self._now_ms(), watch)
                result.proven_at_ms = self._now_ms()
        except Stopped:  # the backup is complete; the next one gets the restore drill
            pass
        except (BloopError, OSError, db_errors.Error) as error:
            bad |= {entry.path.name}
            result.error = f"the restore drill failed: {error}"
        own_id = entry.manifest.database_id
        folders.rotate(folder, database_id=own_id, keep=settings.backup.keep, bad=bad, watch=watch)


def _log_result(result: BackupOutcome) -> None:
    if result.error is not None:
        log.error("the backup failed: %s", result.error, extra={"action": "backup_failed"})
    elif result.entry is not None:
        manifest = result.entry.manifest
        message = "made a backup of %d bytes, packed %d, in %.1f s; restore tested: %s"
        proven = "yes" if result.proven_at_ms else "no"
        took_s = manifest.duration_ms / 1000
        sizes = (manifest.database_bytes, manifest.file_bytes)
        log.info(message, *sizes, took_s, proven, extra={"action": "backup_made"})
