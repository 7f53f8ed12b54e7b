"""One process under supervision: how it is forked, how long to wait before it is started again, how it is ended.

C1  A child is a fork of its supervisor, which has imported everything already: all of them share the pages of one
    set of modules (30 MB less in all, measured), and a child that died is back without importing anything again.
C2  It starts with signals, session, standard streams and descriptors of its own. A signal sent to it from the first
    instant on does what it does to any process; none is lost to the supervisor's handlers.
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
    """`main` in a process of its own, in a session of its own, so that a terminal's Ctrl-C reaches the supervisor only.

    Used by the supervisor's main thread: the kernel ties the child's life to the thread that started it.
    `closes` says which descriptors of the supervisor this child must not hold open.
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
        self.start_at: float | None = None  # monotonic; None: not wanted, or running
        self.exit_code: int | None = None  # of the last run; negative: the signal that killed it
        self._main, self._closes = main, closes
        self._backoff = backoff or Backoff()
        self._started_at = 0.0

    @property
    def running(self) -> bool:
        return self.pid != 0

    def start(self) -> None:
        self._started_at = time.monotonic()
        self.start_at = self.exit_code = None
        parent = os.getpid()
        sys.stdout.flush()  # what is buffered would be written twice
        held_back = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        self.pid = os.fork()
        if self.pid == 0:
            self._be(parent, held_back)
        signal.pthread_sigmask(signal.SIG_SETMASK, held_back)

    def _be(self, parent: int, mask: Collection[int]) -> NoReturn:
        """The child's whole life."""
        code = process.EXIT_FAILED
        try:
            signal.set_wakeup_fd(-1)
            for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(signum, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # what came in meanwhile is delivered here
            process.die_with_parent(parent)
            os.setsid()
            with open(os.devnull, "rb") as nothing:
                os.dup2(nothing.fileno(), 0)
            os.dup2(2, 1)  # the supervisor's stdout is for the operator
            for fd in self._closes():
                os.close(fd)
            code = self._main()
        except SystemExit as ended:  # Gunicorn's workers end so; they are forks of this child and come by here too
            code = ended.code if isinstance(ended.code, int) else bool(ended.code)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # never back into the supervisor's code

    def reap(self) -> bool:
        """True once after each death; `exit_code` says how it ended and `start_at` when to try again."""
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
