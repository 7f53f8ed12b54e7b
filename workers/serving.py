"""Runs Gunicorn for both of bloop's servers: common settings, handles of a worker, bloop's exit codes.

SERVING-1  The master imports everything and freezes it before the first fork, so workers share those pages.
    Connections, lanes and other handles are opened after the fork and closed when the worker ends.
SERVING-2  A worker dies with its master (PROCESS-2), so a killed master leaves no worker on the port.
SERVING-3  A worker waits a bounded time for the ring and is then started again; an error that another try cannot fix
    ends the whole server with EXIT_CANNOT_START.
SERVING-4  The server reports to systemd that it is ready when a worker answers, not when the master runs, and that it
    is alive from the loop that ends hanging workers (`timeout`).
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError, LaneUnavailable, RingMissing
from bloop.db import connection
from bloop.db.engine import Db
from bloop.ingest.keys import ProjectKey, ProjectKeys, WriteKey
from bloop.pipeline import day_bytes, dictionaries
from bloop.projects import store as projects
from bloop.projects.model import Oversize
from bloop.projects.old_keys.read import OldKeyRow, list_all_old_keys
from bloop.projects.read import ProjectKeyRow as KeyRow
from bloop.projects.read import project_keys
from bloop.projects.write_keys.read import list_all_write_keys
from bloop.records.dictionary import current, use
from bloop.ring import Producer, Segment, Spill
from workers import process

RING_WAIT_S = 15.0  # below Gunicorn's `timeout`, which counts from the fork
TIMEOUT_S = 30
_LOOK_EVERY_S = 0.02

WsgiApp = Callable[..., Any]
Build = Callable[[Settings, contextlib.ExitStack], WsgiApp]

log = logging.getLogger(__name__)


# How Gunicorn's messages begin that go on with bytes of a request, and what the log says instead (LOG-2).
_ABOUT_REQUESTS = {
    "Invalid request": "refused a malformed request",
    "Error handling request": "a request failed",
    "Ignored premature client disconnection": "a client left early",
    "Closing connection": "closing a connection",
    "HTTP/2": "trouble with HTTP/2",
}


class GunicornLog(glogging.Logger):
    """Sends Gunicorn's warnings and errors to bloop's log; bloop logs starts and stops itself."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        for logger in (self.error_log, self.access_log):
            logger.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.DEBUG if logging.root.level <= logging.DEBUG else logging.WARNING)
        self._access_log_enabled = False

    # Each passes on where it was called from, because bloop's log bounds lines by the place they come from (LOG-3).

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self._pass_on(logging.CRITICAL, msg, *args, **kwargs)

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self._pass_on(logging.ERROR, msg, *args, **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self._pass_on(logging.WARNING, msg, *args, **kwargs)

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self._pass_on(logging.INFO, msg, *args, **kwargs)

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self._pass_on(logging.DEBUG, msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        self._pass_on(logging.ERROR, msg, *args, exc_info=True, **kwargs)

    def log(self, lvl: Any, msg: Any, *args: Any, **kwargs: Any) -> None:
        self._pass_on(lvl if isinstance(lvl, int) else logging.INFO, msg, *args, **kwargs)

    def _pass_on(self, level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
        for start, instead in _ABOUT_REQUESTS.items():
            if str(msg).startswith(start):
                kwargs["extra"] = {"action": "request_refused" if level < logging.ERROR else "request_failed"}
                msg, args = instead, ()
        if level <= logging.DEBUG and args:  # methods, paths and what was wrong with them
            msg, args = "%s", (msg,)
        self.error_log.log(level, msg, *args, stacklevel=3, **kwargs)


class GunicornMaster(Arbiter):
    """Gunicorn's master, which also reports its state to systemd (SERVING-4)."""

    _is_ready = False

    def murder_workers(self) -> None:
        """Called about once a second, and whenever a worker starts or dies."""
        super().murder_workers()
        process.unit.alive()
        if not self._is_ready and any(_has_begun(worker) for worker in self.WORKERS.values()):
            self._is_ready = True
            process.unit.ready("serving")

    def stop(self, graceful: bool = True) -> None:
        process.unit.stopping()
        super().stop(graceful)


def _has_begun(worker: Any) -> bool:
    """Whether the worker sent its first heartbeat: until then its heartbeat file has the time of day instead."""
    return bool(worker.tmp.last_update() <= time.monotonic())


def common_options(settings: Settings) -> dict[str, Any]:
    """The Gunicorn settings of every server of bloop."""
    return {
        "control_socket_disable": True,  # it would open one below $HOME, which a hardened unit does not even see
        "worker_tmp_dir": "/dev/shm",  # noqa: S108 - heartbeats must not wait for a disk
        "logger_class": GunicornLog,
        "accesslog": None,
        "timeout": TIMEOUT_S,
        "umask": 0o007,  # Unix sockets are for this user and group; the default would admit every user
        # Only `server.trusted_proxies` decides whose forwarding headers count (ingest/client_address.py).
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "when_ready": _freeze,
        "post_fork": _tie_to_master,
        "post_worker_init": _tell_master,
        "worker_exit": _close_handles,
    }


def run(application: Application) -> int:
    """Run as the Gunicorn master of this application. Returns the exit code."""
    master = os.getpid()
    try:
        GunicornMaster(application).run()
    except SystemExit as ending:
        if os.getpid() != master:  # a worker: its codes are for the master
            raise
        return _exit_code(ending.code)
    except HaltServer as halt:  # a second worker could not start while Gunicorn was stopping because of the first
        return _exit_code(halt.exit_status)
    return process.EXIT_OK


def _exit_code(gunicorn_code: object) -> int:
    if gunicorn_code == Arbiter.APP_LOAD_ERROR:
        return process.EXIT_CANNOT_START
    return process.EXIT_FAILED if gunicorn_code else process.EXIT_OK


class Application(BaseApplication):
    """Gives Gunicorn its settings and the app; `build` makes the app in each worker.

    Making one touches a hundred classes of Gunicorn. A supervisor that makes it before it forks keeps their pages
    shared: 2.5 MB less in each server, measured.
    """

    def __init__(self, settings: Settings, options: Mapping[str, Any], build: Build) -> None:
        self._settings, self._options, self._build = settings, options, build
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:  # a settings file has imports and helpers as well
                self.cfg.set(name, value)

    def load(self) -> WsgiApp:
        return build_in_worker(self._settings, self._build)


def build_in_worker(settings: Settings, build: Build) -> WsgiApp:
    """Build the app and open its handles; a failure ends this worker, or the whole server (SERVING-3)."""
    try:
        return build(settings, _handles)
    except (RingMissing, LaneUnavailable) as error:
        log.error("waited %.0f s: %s", RING_WAIT_S, error, extra={"action": "failed"})
        sys.exit(process.EXIT_FAILED)
    except BloopError as error:
        log.error("cannot start: %s", error, extra={"action": "cannot_start"})
        sys.exit(Arbiter.APP_LOAD_ERROR)


def join_ring(
    settings: Settings, handles: contextlib.ExitStack, wait_s: float = RING_WAIT_S
) -> tuple[Segment, Producer]:
    """Claim a lane, waiting for the writer to create the ring and for a predecessor to release its lane.

    Raises:
        RingMissing, LaneUnavailable: not within `wait_s`.
        RingMismatch: the segment is not a ring of this bloop.
    """
    ingest, deadline = settings.ingest, time.monotonic() + wait_s
    spill = Spill(settings.spill_folder, ingest.spill_bytes_max, settings.database.disk_free_bytes_min)
    while True:
        try:
            segment = Segment.attach(settings.ring_name)
            try:
                producer = Producer.claim(segment, spill if ingest.spill_bytes_max else None)
            except BaseException:
                segment.close()
                raise
        except (RingMissing, LaneUnavailable):
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_EVERY_S)
        else:
            handles.callback(segment.close)
            handles.callback(producer.close)
            return segment, producer


def make_keys(settings: Settings, segment: Segment) -> ProjectKeys:
    """The key cache over the database, reloaded for each generation of the ring's control word."""

    def rows() -> list[KeyRow]:
        # Opened only for this read: an idle connection would cost each worker its page cache and hold the -shm mapping.
        with contextlib.closing(connection.open_reader(settings.database_path)) as db:
            _pack_with_newest(db)
            return project_keys(db)

    def old_keys() -> list[OldKeyRow]:
        with contextlib.closing(connection.open_reader(settings.database_path)) as db:
            return list_all_old_keys(db)

    def load() -> Sequence[ProjectKey]:
        kept = [ProjectKey(row.project_id, row.key, row.made_at_ms, row.ends_at_ms) for row in old_keys() if row.key]
        current = [
            ProjectKey(row.id, row.api_key, row.made_at_ms, is_trimming=row.oversize == Oversize.TRIM) for row in rows()
        ]
        return current + kept

    def load_ended() -> Mapping[str, int]:
        return {row.key_hash: row.project_id for row in old_keys()}

    def default_project_id() -> int | None:
        return next((row.id for row in rows() if row.public_id == projects.DEFAULT), None)

    def load_write_keys() -> Sequence[WriteKey]:
        with contextlib.closing(connection.open_reader(settings.database_path)) as db:
            return [
                WriteKey(row.project_id, row.kind, row.key, is_revoked=row.revoked_at_ms is not None)
                for row in list_all_write_keys(db)
            ]

    def load_spent() -> Mapping[int, int]:
        with contextlib.closing(connection.open_reader(settings.database_path)) as db:
            return day_bytes.spent_until(db, clock.now_ms(), settings.limits.bytes_per_day)

    secret = settings.auth.hmac_secret
    return ProjectKeys(
        load,
        lambda: segment.generation,
        secret,
        default_project_id,
        load_ended=load_ended,
        load_write_keys=load_write_keys,
        load_spent=load_spent,
    )


def _pack_with_newest(db: Db) -> None:
    """A dictionary read from the database is committed, so whatever is packed with it can be stored."""
    newest_id = dictionaries.newest_id(db)
    if newest_id is not None and newest_id != current().id and (newest := dictionaries.dictionary_of(db)(newest_id)):
        use(newest)


_handles = contextlib.ExitStack()  # of this worker; empty in the master


def _freeze(_server: Arbiter) -> None:
    gc.collect()
    gc.freeze()


def _tie_to_master(_server: Arbiter, worker: Any) -> None:
    process.die_with_parent(worker.ppid)


def _tell_master(worker: Any) -> None:
    """Tell the master at once that the app is loaded; it would otherwise notice up to a second later."""
    worker.notify()
    os.kill(worker.ppid, signal.SIGCHLD)


def _close_handles(_server: Arbiter, _worker: Any) -> None:
    _handles.close()
