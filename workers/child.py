"""One process under supervision: how it is started, how long to wait before it is started again, how it is ended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from bloop.clock import now_ms

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
    """`python -m workers.<name>` in a session of its own, so that a terminal's Ctrl-C reaches the supervisor only.

    Used by the supervisor's main thread: the kernel ties the child's life to the thread that started it.
    """

    def __init__(self, name: str, flags: Sequence[str], fds: Sequence[int], backoff: Backoff | None = None) -> None:
        self.name = name
        self.start_at: float | None = None  # monotonic; None: not wanted, or running
        self.started_ms = 0  # Unix time of the last start
        self.exit_code: int | None = None  # of the last run; negative: the signal that killed it
        self._flags, self._fds = tuple(flags), tuple(fds)
        self._backoff = backoff or Backoff()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        # -P: a folder named `workers` where the operator stands must not be imported in place of ours.
        command = [sys.executable, "-P", "-m", f"workers.{self.name}", "--parent", str(os.getpid()), *self._flags]
        self.started_ms = now_ms()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # our stdout is for the operator
            pass_fds=self._fds,
            start_new_session=True,
        )
        self._started_at = time.monotonic()
        self.start_at = self.exit_code = None

    def reap(self) -> bool:
        """True once after each death; `exit_code` says how it ended and `start_at` when to try again."""
        if self._process is None or self._process.poll() is None:
            return False
        self.exit_code = self._process.returncode
        self._process = None
        now = time.monotonic()
        self.start_at = now + self._backoff.next_s(now - self._started_at)
        return True

    def send(self, signum: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signum)

    @property
    def ending(self) -> str:
        """How the last run ended, for the log."""
        code = self.exit_code or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
