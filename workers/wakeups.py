"""Turns signals into readiness of a pipe: handlers only count (PROCESS-1), the process's loop acts."""

from __future__ import annotations

import os
import select
import signal


class Wakeups:
    """Counts stop signals; they and dead children end a wait. One per process, main thread only."""

    def __init__(self) -> None:
        self.stops = 0
        self.fds = self._read_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if (
                signum is not signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN
            ):  # nohup ignores SIGHUP on purpose
                signal.signal(signum, self._on_stop)

    def _on_stop(self, signum: int, frame: object) -> None:
        self.stops += 1

    def wait(self, timeout_s: float | None) -> None:
        """Sleep until a signal or the time-out."""
        if select.select([self._read_fd], [], [], timeout_s)[0]:
            os.read(self._read_fd, 4096)
