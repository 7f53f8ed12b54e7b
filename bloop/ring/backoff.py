"""How long a producer with a full lane waits for the writer: a slower answer is better than a spill, or a drop.

PATIENCE-1  One wait lasts WAIT_S_MAX at most, and all together SHARE_MAX of the time, with CREDIT_S_MAX at once. The
    events of one batch share that, so no client waits noticeably and the worker continues to serve the others.
PATIENCE-2  No wait for a writer that made no progress for STANDSTILL_S: it is stopped, or its database is blocked.
"""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S_MAX = 0.005
SHARE_MAX = 0.25
CREDIT_S_MAX = 0.02
STANDSTILL_S = 0.25
_LOOK_EVERY_S = 0.0005


class Patience:
    """The waiting time of one producer. `monotonic` and `sleep` are parameters for tests."""

    __slots__ = ("_credit_s", "_filled_at", "_monotonic", "_moved_at", "_progress", "_sleep")

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._monotonic, self._sleep = monotonic, sleep
        self._filled_at = self._moved_at = monotonic()
        self._credit_s = CREDIT_S_MAX
        self._progress = -1

    def wait_until(self, done: Callable[[], bool], progress: Callable[[], int]) -> bool:
        """Whether `done` came true in the time allowed; `progress` is a number that changes while the writer works."""
        now = started = self._monotonic()
        allowed_s = self._allowed_s(now, progress())
        while not (is_done := done()) and now < started + allowed_s:
            self._sleep(_LOOK_EVERY_S)
            now = self._monotonic()
        self._credit_s -= now - started
        return is_done

    def _allowed_s(self, now: float, progress: int) -> float:
        self._credit_s = min(CREDIT_S_MAX, self._credit_s + (now - self._filled_at) * SHARE_MAX)
        self._filled_at = now
        if progress != self._progress:
            self._progress, self._moved_at = progress, now
        return 0.0 if now - self._moved_at > STANDSTILL_S else min(WAIT_S_MAX, max(0.0, self._credit_s))
