"""Real processes for the ring's tests: forked, watched, killed, never left behind."""

from __future__ import annotations

import mmap
import os
import signal
import traceback
from collections.abc import Callable


class Processes:
    def __init__(self) -> None:
        self._pids: set[int] = set()

    def start(self, work: Callable[[], object]) -> int:
        """Run `work` in a forked child; it leaves with 0, or with 1 after printing what went wrong."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                work()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        self._pids.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self._pids.remove(pid)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "it had ended before it was killed"

    def finish(self, pid: int) -> None:
        """Wait for the end of a process that ends by itself."""
        self._pids.remove(pid)
        _, status = os.waitpid(pid, 0)
        assert status == 0

    def kill_all(self) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._pids.clear()


class Board:
    """A row of numbers that forked processes share: what one wrote is known even after it was killed."""

    def __init__(self, size: int) -> None:
        self._memory = mmap.mmap(-1, size * 8)
        self._words = memoryview(self._memory).cast("Q")

    def __getitem__(self, index: int) -> int:
        return self._words[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._words[index] = value

    def close(self) -> None:
        self._words.release()
        self._memory.close()


def sleep_for_ever() -> None:
    while True:
        signal.pause()
