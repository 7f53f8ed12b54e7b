"""Common to every bloop process: read settings once, log, stop when asked, die with the parent, exit with a clear code.

PROCESS-1  A signal handler only stores a number. The loop that owns the work checks it where stopping is safe.
PROCESS-2  The kernel kills a child process the moment its parent is gone, for any reason. So no orphan keeps a port, a
    lane or a lock; the ring makes the sudden end harmless.
PROCESS-3  `EXIT_CANNOT_START` means that another try would fail too: a wrong setting, a foreign segment, a newer
    schema. Supervisors stop on it instead of looping (`RestartPreventExitStatus=78`).
PROCESS-4  A process that is a unit of systemd reports through `unit` that it is ready, alive and stopping. Everywhere
    else, and in forks of such a process, `unit` does nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Container, Sequence
from types import FrameType

from bloop.base import config, memory, systemd
from bloop.base import log as logs
from bloop.base.config import Settings
from bloop.base.errors import BloopError, ConfigError, QueryTimeout, RingMissing
from bloop.db.errors import OPERATIONAL_ERRORS
from workers import own_errors

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_CANNOT_START = 78  # EX_CONFIG of sysexits.h, so no shell or libc uses it for anything else

REPORTING = frozenset({"ingest", "dashboard", "alerts", "retention"})  # ERRORS-2: neither writer nor supervisor

_LOOK_EVERY_S = 0.05
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36  # linux/prctl.h

log = logging.getLogger(__name__)

unit = systemd.Unit()


class StopFlag:
    """Set by SIGTERM or SIGINT. The handler only stores a number: no logging, no locks, no I/O there (PROCESS-1)."""

    signum: int | None = None

    def install(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum

    def is_set(self) -> bool:
        return self.signum is not None

    def wait(self, timeout_s: float) -> bool:
        """Pause, at most 50 ms longer than until the flag is set. (`time.sleep` continues after a signal.)"""
        deadline = time.monotonic() + timeout_s
        while not self.is_set() and (remaining_s := deadline - time.monotonic()) > 0:
            time.sleep(min(remaining_s, _LOOK_EVERY_S))
        return self.is_set()


class Flags(argparse.Namespace):
    """The parsed command line of a process."""

    config: str | None
    parent: int
    quiet: bool


def parse_flags(process: str, argv: Sequence[str] | None = None) -> Flags:
    parser = argparse.ArgumentParser(prog=f"python -m workers.{process}", allow_abbrev=False)
    parser.add_argument("-c", "--config", metavar="PATH", help="settings file instead of ./config.toml")
    parser.add_argument("--parent", type=int, default=0, metavar="PID", help="exit when this process exits")
    parser.add_argument("--quiet", action="store_true", help="print only the ready line, no keys or links")
    return parser.parse_args(argv, namespace=Flags())


def run(process: str, main: Callable[[Settings], int | None], argv: Sequence[str] | None = None) -> int:
    """Run the process `process` from its command line. Returns the exit code for `sys.exit`."""
    unit.begin(config.told_by_systemd())
    flags = parse_flags(process, argv)
    if flags.parent:
        die_with_parent(flags.parent)
    try:
        settings = config.load(flags.config, is_all_of_bloop=process == "supervisor")
    except ConfigError as error:
        message = f"bloop: {error}"
        print(logs.with_priority(message, logging.ERROR) if unit.environment.journal else message, file=sys.stderr)
        return EXIT_CANNOT_START
    return guard(process, settings, lambda: main(settings))


def guard(process: str, settings: Settings, main: Callable[[], int | None]) -> int:
    """Set up name, memory and log, run `main`, and turn an expected error into one line and an exit code.

    Any other error becomes a traceback in the log and EXIT_FAILED.
    """
    _prctl(_PR_SET_NAME, f"bloop-{process}".encode())
    memory.use_one_heap()
    journal = logs.Journal.NONE
    if unit.environment.journal:
        journal = logs.Journal.OWN if unit.is_this_process else logs.Journal.SHARED
    logs.set_up(process, level=settings.server.log_level, log_format=settings.server.log_format, journal=journal)
    error_handler = own_errors.install(process, settings) if process in REPORTING else None
    try:
        return main() or EXIT_OK
    except (RingMissing, QueryTimeout) as error:  # another process is late: the next try may work
        log.error("stopped: %s", error, extra={"action": "failed"})
        return EXIT_FAILED
    except OPERATIONAL_ERRORS as error:  # a locked database or a full disk: the next try may work
        log.error("stopped: %s: %s", type(error).__name__, error, extra={"action": "failed"})
        return EXIT_FAILED
    except BloopError as error:
        log.error("cannot start: %s", error, extra={"action": "cannot_start"})
        return EXIT_CANNOT_START
    except Exception:
        log.exception("stopped by an unexpected error", extra={"action": "crashed"})
        if error_handler is not None:
            error_handler.flush(own_errors.FLUSH_S)
        return EXIT_FAILED


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which started it, is gone (PROCESS-2).

    SIGKILL, because children that end at once free the port and the lanes for the next start. Linux sends it when the
    *thread* that started us ends: parents start their children from the main thread.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before prctl took effect
        os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Make processes whose parent died children of this one, which then must reap them (`reap_orphans`).

    In a container the supervisor is process 1 and gets them anyway; this makes it so everywhere.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def reap_orphans(own: Container[int]) -> None:
    """Collect the exit status of dead children that are not in `own`, so that none stays a zombie."""
    with contextlib.suppress(ChildProcessError):
        while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and dead.si_pid not in own:
            os.waitpid(dead.si_pid, 0)


def _prctl(option: int, value: int | bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
