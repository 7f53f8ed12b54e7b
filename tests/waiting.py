"""Waiting in tests: for a condition, up to a deadline, and nowhere else.

What a test waits for happens in its own time on a machine that may be busy. So nobody sleeps for as long as it should
take: whoever waits looks, and gives up late. Time as such passes only in the life of a process that is watched.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import TypeVar

PAUSE_S_MIN, PAUSE_S_MAX = 0.001, 0.01

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, within_s: float = 10.0) -> T:
    """The first true answer of `condition`; AssertionError naming `what` when there is none in time.

    What is about to happen is seen at once; what takes longer is not kept from happening by being looked at.
    """
    deadline, pause_s = time.monotonic() + within_s, PAUSE_S_MIN
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_S_MAX)
    return answer


def lives_on(pid: int, for_s: float) -> bool:
    """Whether a process goes on for so long; False as soon as it ends. A child of ours is not reaped."""
    pidfd = os.pidfd_open(pid)
    try:
        ends = select.poll()
        ends.register(pidfd, select.POLLIN)
        return not ends.poll(for_s * 1000)
    finally:
        os.close(pidfd)
