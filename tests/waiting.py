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


def until(condition: Callable[[], T], what: str, within_s: float = 30.0) -> T:
    """The first true answer of `condition`; AssertionError naming `what` when there is none in time.

    What is about to happen is seen at once; what takes longer is not kept from happening by being looked at.
    """
    deadline, pause_s = time.monotonic() + within_s, PAUSE_S_MIN
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_S_MAX)
    return answer


def fastest(attempt: Callable[[], float], within_s: float, tries_max: int = 5) -> float:
    """The shortest of the times that `attempt` measures, tried again while none is within `within_s`.

    For promises about speed: other work on the machine makes any single time long, never one short.
    """
    shortest_s = attempt()
    while shortest_s > within_s and (tries_max := tries_max - 1):
        shortest_s = min(shortest_s, attempt())
    return shortest_s


def lives_on(pid: int, for_s: float) -> bool:
    """Whether a process goes on for so long; False as soon as it ends. A child of ours is not reaped."""
    pidfd = os.pidfd_open(pid)
    try:
        ends = select.poll()
        ends.register(pidfd, select.POLLIN)
        return not ends.poll(for_s * 1000)
    finally:
        os.close(pidfd)
