"""One supervised process: how it is forked, how long to wait before it is started again, how it is stopped.

CHILD-1  A child is a fork of its supervisor, which has imported everything: all children share the pages of one set of
    modules (30 MB less in all, measured), and a child that died is restarted without importing again.
CHILD-2  It starts with its own signal handling, session, standard streams and descriptors. Signals sent to it work from
    the first instant; none goes to the supervisor's handlers.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection
from typing import NoReturn

from workers import process

BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 30.0
STEADY_AFTER_S = 60.0  # a child that lived this long did not die of what killed the one before it


class Backoff:
    """Seconds to wait before the next start: doubling from 0.2 to 30, with jitter, from the start again once steady."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._deaths = 0

    def next_s(self, lived_s: float) -> float:
        self._deaths = 0 if lived_s >= STEADY_AFTER_S else self._deaths
        delay_s = min(BACKOFF_FIRST_S * 2.0 ** min(self._deaths, 16), BACKOFF_MAX_S)
        self._deaths += 1
        return delay_s * (1 - 0.25 * self._jitter())  # never all at once, never longer than promised


class Child:
    """`main` in its own process and session, so that a terminal's Ctrl-C reaches the supervisor only.

    Used by the supervisor's main thread: the kernel ties the child's life to the thread that started it.
    `closes` returns the descriptors of the supervisor that this child must not hold open.
    """

    def __init__(
        self,
        name: str,
        main: Callable[[], int],
        closes: Callable[[], Collection[int]] = tuple,
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.pid = 0  # 0: not running
        self.start_at: float | None = None  # monotonic; None: stopped for good, or running
        self.exit_code: int | None = None  # of the last run; negative: the signal that killed it
        self._main, self._closes = main, closes
        self._backoff = backoff or Backoff()
        self._started_at = float("-inf")  # monotonic

    @property
    def running(self) -> bool:
        return self.pid != 0

    def start(self) -> None:
        self._started_at = time.monotonic()
        self.start_at = self.exit_code = None
        parent = os.getpid()
        sys.stdout.flush()  # else parent and child would both write the buffered text
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.pid = os.fork()
        if self.pid == 0:
            self._run_child(parent, mask)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _run_child(self, parent: int, mask: Collection[int]) -> NoReturn:
        """Everything that happens in the child process, up to its exit."""
        code = process.EXIT_FAILED
        try:
            signal.set_wakeup_fd(-1)
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(signum, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # pending signals are delivered here
            process.die_with_parent(parent)
            os.setsid()
            with open(os.devnull, "rb") as devnull:
                os.dup2(devnull.fileno(), 0)
            os.dup2(2, 1)  # the supervisor's stdout is for the operator
            for fd in self._closes():
                os.close(fd)
            code = self._main()
        except SystemExit as ending:  # Gunicorn's workers, forks of this child, end here too
            code = ending.code if isinstance(ending.code, int) else bool(ending.code)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # never return into the supervisor's code

    def reap(self) -> bool:
        """True once after each death; then `exit_code` is how it ended and `start_at` when to start it again."""
        if not self.pid:
            return False
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return False
        self.pid, self.exit_code = 0, os.waitstatus_to_exitcode(status)
        now = time.monotonic()
        self.start_at = now + self._backoff.next_s(now - self._started_at)
        return True

    def send(self, signum: int) -> None:
        if self.pid:  # dead or alive, the pid is ours until `reap`
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    @property
    def ending(self) -> str:
        """How the last run ended, for the log."""
        code = self.exit_code or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
