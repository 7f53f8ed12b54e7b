"""`bloop up`: starts every process of bloop on one machine in order, keeps them alive, stops them in order.

    writer ──▶ ingest, dashboard, alerts, retention        started: ring and database exist before they are needed
    ingest ──▶ dashboard ──▶ alerts, retention ──▶ writer  stopped: producers first, so that the writer stores the very
                                                           last record

SUPERVISOR-1  The supervisor holds the public port. While the ingest server is restarted, connections wait in the
    kernel's queue.
SUPERVISOR-2  A child that dies is started again after a back-off; the others continue. Until everything was ready once,
    a child that ends with EXIT_CANNOT_START stops everything (PROCESS-3); later it is only tried less and less often.
SUPERVISOR-3  The ring is removed only when the writer exited with 0 and the ring is empty. The next start stores
    waiting records.
SUPERVISOR-4  Nothing survives the supervisor, not even after SIGKILL: the kernel kills its children (PROCESS-2), and
    the next start waits for the last of them (INSTANCE-2).
SUPERVISOR-5  After the first stop signal every stage gets its time; after the second, each has HURRY_S.

The supervisor imports and makes everything its children need, once; they share it by forking (CHILD-1).
"""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from bloop.base.config import Settings
from bloop.base.errors import BloopError, ConfigError, RingError
from bloop.base.pid_file import PID_FILE, Instance
from bloop.ring.segment import Segment
from workers import alerts, dashboard, ingest, process, retention, serving, writer
from workers.child import Child
from workers.port import local_url, open_port
from workers.probe import Probe
from workers.wakeups import Wakeups

STOP_S = {
    "ingest": 15.0,
    "dashboard": 10.0,
    "alerts": 15.0,
    "retention": 10.0,
    "writer": 60.0,
}  # in this order; each above what the child allows itself
HURRY_S = 1.0
_PROBE_EVERY_S = 0.02
_SAY_EVERY_S = 10.0

log = logging.getLogger("bloop.supervisor")


class CannotStart(BloopError):
    """A child ended with EXIT_CANNOT_START. Its own message says why."""


class Supervisor:
    """One run, from the first child to the last. Main thread only."""

    def __init__(self, settings: Settings, flags: process.Flags, port: socket.socket) -> None:
        self._settings, self._port, self._config = settings, port, flags.config
        self._wakeups = Wakeups()
        self._writer = self._child("writer", lambda: writer.run(settings))
        public, private = ingest.prepare(settings, port.fileno()), dashboard.prepare(settings)
        self._ingest = self._child("ingest", lambda: serving.run(public), has_port=True)
        self._dashboard = self._child("dashboard", lambda: serving.run(private))
        self._background = [
            self._child("alerts", lambda: alerts.run(settings)),
            self._child("retention", lambda: retention.run(settings)),
        ]
        self._children = [self._writer, self._ingest, self._dashboard, *self._background]
        self._greeting: subprocess.Popen[bytes] | None = None
        self._was_ready = False
        self._last_heartbeat_ms = 0  # in the ring when the writer was last started

    def _child(self, name: str, main: Callable[[], int], *, has_port: bool = False) -> Child:
        def closes() -> list[int]:
            port_fd = self._port.fileno()  # -1 once it is closed
            return [*self._wakeups.fds, *([] if has_port or port_fd < 0 else [port_fd])]

        return Child(name, lambda: process.guard(name, self._settings, main), closes)

    def run(self, *, quiet: bool, is_first_start: bool) -> None:
        """Start everything and keep it running until asked to stop.

        The first start prints the default project's key; later ones say how to read it, because output is kept in
        journals and container logs.

        Raises:
            CannotStart: after stopping the children that were started.
        """
        gc.collect()
        gc.freeze()  # the collector would write to every page the children share
        try:
            self._start()
            if not self._stopping:
                self._announce_ready(quiet=quiet, is_first_start=is_first_start)
            while not self._stopping:
                self._tend(process.unit.ping_every_s or None)
        finally:
            self._stop()

    @property
    def _stopping(self) -> bool:
        return self._wakeups.stops > 0

    def _start(self) -> None:
        self._begin(self._writer)
        self._wait_until(self._writer_is_ready, "the writer")
        if self._stopping:
            return
        self._begin(self._ingest)
        self._begin(self._dashboard)
        for child in self._background:  # no other process waits for these
            self._begin(child)
        with Probe.of_port(self._port, "OPTIONS", "/v1/ingest") as ingest:
            self._wait_until(ingest.answered, "the ingest server")
        with Probe.of_socket(self._settings.dashboard_path, "GET", "/health") as dashboard:
            self._wait_until(dashboard.answered, "the dashboard")
        self._was_ready = not self._stopping

    def _announce_ready(self, *, quiet: bool, is_first_start: bool) -> None:
        if not quiet:
            config_flags = ["--config", self._config] if self._config else []
            key_flags = [] if is_first_start else ["--without-key"]
            command = [sys.executable, "-P", "-m", "bloop.cli.main", "welcome", *config_flags, *key_flags]
            self._greeting = greeting = subprocess.Popen(command, stdin=subprocess.DEVNULL)
            self._wait_until(lambda: greeting.poll() is not None, "the welcome")
            greeting.wait()
            self._greeting = None
        print(f"ready {local_url(self._settings)}", flush=True)
        process.unit.ready("serving")
        log.info("ready on %s", local_url(self._settings), extra={"action": "ready"})

    # Keeping alive

    def _wait_until(self, is_done: Callable[[], bool], awaited: str) -> None:
        """Tend the children until `is_done` or a stop is requested; log every _SAY_EVERY_S what it waits for."""
        say_at = time.monotonic() + _SAY_EVERY_S
        while not self._stopping and not is_done():
            self._tend(_PROBE_EVERY_S)
            if time.monotonic() > say_at:
                log.info("still waiting for %s", awaited, extra={"action": "waiting"})
                say_at += _SAY_EVERY_S

    def _tend(self, timeout_s: float | None) -> None:
        """Sleep until an event, then reap dead children and start those that are due."""
        due = [child.start_at for child in self._children if child.start_at is not None]
        if due:
            until_due_s = max(0.0, min(due) - time.monotonic())
            timeout_s = until_due_s if timeout_s is None else min(timeout_s, until_due_s)
        self._wakeups.wait(timeout_s)
        process.unit.alive()
        for child in self._children:
            if child.reap():
                self._on_death(child)
            if not self._stopping and child.start_at is not None and child.start_at <= time.monotonic():
                self._begin(child)
        process.reap_orphans({child.pid for child in self._children} | {self._greeting.pid if self._greeting else 0})

    def _begin(self, child: Child) -> None:
        if child is self._writer:
            self._last_heartbeat_ms = self._heartbeat_ms()
        child.start()
        log.info("started %s[%d]", child.name, child.pid, extra={"action": "started"})

    def _on_death(self, child: Child) -> None:
        if self._stopping:
            return
        if child.exit_code == process.EXIT_CANNOT_START and not self._was_ready:
            raise CannotStart(f"the {child.name} cannot start; its message is above")
        assert child.start_at is not None
        wait_s = max(0.0, child.start_at - time.monotonic())
        message = "%s %s, starting it again in %.1f s"
        log.warning(message, child.name, child.ending, wait_s, extra={"action": "died"})

    def _writer_is_ready(self) -> bool:
        """Whether the current writer, not its predecessor, has the ring open and handles signals.

        Any heartbeat other than the last one shows it, not only a later one: the clock may be set back meanwhile.
        """
        return self._heartbeat_ms() not in (0, self._last_heartbeat_ms)

    def _heartbeat_ms(self) -> int:
        """The last heartbeat of any writer in the ring; 0 while there is no ring."""
        with contextlib.suppress(RingError), contextlib.closing(Segment.attach(self._settings.ring_name)) as ring:
            return ring.heartbeat_ms
        return 0

    # Stopping

    def _stop(self) -> None:
        log.info("stopping", extra={"action": "stopping"})
        process.unit.stopping()
        self._port.close()  # ours; the ingest workers close theirs
        self._end(self._ingest)
        self._end(self._dashboard)
        for child in self._background:
            self._end(child)
        self._ensure_writer()
        self._end(self._writer)
        self._remove_ring()
        log.info("stopped", extra={"action": "stopped"})

    def _ensure_writer(self) -> None:
        """Start the writer again if it just died: else its records would stay in the ring until the next start."""
        if not self._was_ready:
            return
        if not self._writer.running:
            self._begin(self._writer)
        deadline = time.monotonic() + STOP_S["writer"]
        while self._writer.running and not self._writer_is_ready():
            if self._wakeups.stops > 1 or time.monotonic() > deadline:
                return
            self._wakeups.wait(_PROBE_EVERY_S)
            self._writer.reap()

    def _end(self, child: Child) -> None:
        """SIGTERM, wait, then SIGKILL if necessary. A child that waits for its next start stays down."""
        child.start_at = None
        child.send(signal.SIGTERM)
        asked_at = time.monotonic()
        while child.running and not child.reap():
            allowed_s = HURRY_S if self._wakeups.stops > 1 else STOP_S[child.name]
            wait_s = asked_at + allowed_s - time.monotonic()
            if wait_s <= 0:
                log.warning("%s did not stop in %.0f s, killing it", child.name, allowed_s, extra={"action": "killed"})
                child.send(signal.SIGKILL)
                wait_s = HURRY_S
            self._wakeups.wait(wait_s)
        child.start_at = None

    def _remove_ring(self) -> None:
        name = self._settings.ring_name
        try:
            with contextlib.closing(Segment.attach(name)) as ring:
                stat = ring.stat()
        except RingError:
            return
        if self._writer.exit_code == process.EXIT_OK and stat.waiting_bytes == 0:
            Segment.unlink(name)
        else:
            message = "%d records wait in the ring, the next start stores them"
            log.warning(message, stat.pending_records, extra={"action": "ring_kept"})


def main(settings: Settings, flags: process.Flags) -> None:
    """Claim the data and the port, then run."""
    run_dir = settings.run_dir
    try:
        settings.database_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        instance = Instance.claim(run_dir / PID_FILE)
    except OSError as error:
        raise ConfigError("database.path", f"cannot use {error.filename}: {error.strerror}") from error
    process.adopt_orphans()
    try:
        _clear(settings)
        is_first_start = not settings.database_path.exists()
        with open_port(settings) as port:
            instance.publish(published_settings(settings))
            Supervisor(settings, flags, port).run(quiet=flags.quiet, is_first_start=is_first_start)
    finally:
        _clear(settings)
        instance.release()
        with contextlib.suppress(OSError):  # it holds files of another program, or we may not remove it
            run_dir.rmdir()


def published_settings(settings: Settings) -> dict[str, Any]:
    """What commands need to reach this bloop, although they may not see its environment or settings file."""
    return {
        "server.host": settings.server.host,
        "server.port": settings.server.port,
        "auth.rp_id": settings.auth.rp_id,
        "auth.rp_origin": settings.auth.rp_origin,
        "ring.name": settings.ring_name,
    }


def _clear(settings: Settings) -> None:
    """Remove the sockets and pid files that killed children left. Call while no child runs."""
    for name in (f"{settings.handoff_path.name}*", f"{settings.dashboard_path.name}*", alerts.PID_FILE, "probe-*"):
        for leftover in settings.run_dir.glob(name):
            leftover.unlink()


if __name__ == "__main__":
    sys.exit(process.run("supervisor", lambda settings: main(settings, process.parse_flags("supervisor"))))
