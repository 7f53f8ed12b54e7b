"""Threads that run jobs, started when they are needed.

They are daemons: a job that hangs does not keep the process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class ThreadPool(Generic[T]):
    """Only one thread calls `submit` and `close`. `work` gets the jobs in their order and must not raise."""

    def __init__(self, name: str, threads_max: int, work: Callable[[T], None]) -> None:
        self._name, self._threads_max, self._work = name, threads_max, work
        self._jobs: SimpleQueue[T | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._thread_count = 0

    def submit(self, job: T) -> None:
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False) and self._thread_count < self._threads_max:
            self._thread_count += 1
            threading.Thread(target=self._run, name=f"{self._name}-{self._thread_count}", daemon=True).start()

    def close(self) -> None:
        """End every thread after the jobs it has; waits for none."""
        for _ in range(self._thread_count):
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._work(job)
            del job  # a waiting thread must not keep a request's memory
            self._idle.release()
