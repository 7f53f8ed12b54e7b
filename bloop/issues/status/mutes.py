"""How long a mute lasts, and which event ends it. Pure.

MUTE-1  A mute lasts for ever, or until one thing: a time, so many more events, more than so many events within an hour.
MUTE-2  Only events received after the muting count, by the time they were received.
MUTE-3  An hour is any sixty minutes in a row, not the one the clock shows: counts are kept by minute, as long as
    needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from bloop.base.clock import DAY_MS, MINUTE_MS, minute_of

HOUR_MINUTES = 60
FOR_MS_MAX = 3660 * DAY_MS
EVENTS_MAX = 1_000_000_000


class Mute(NamedTuple):
    """One condition at most (MUTE-1); none: for ever."""

    until_ms: int | None = None
    events: int | None = None
    per_hour: int | None = None


FOREVER = Mute()


class MuteEnd(StrEnum):
    """The reason that a mute ended."""

    TIME = "time"
    EVENTS = "events"
    RATE = "rate"


class Progress(NamedTuple):
    """The count since the muting: all events, or by minute (its start in ms) for the last hour."""

    events: int = 0
    minutes: Mapping[int, int] = {}


class Step(NamedTuple):
    """The effect of some events on a mute. `at` is the place of the event that ended it; None: it continues."""

    progress: Progress
    ended: MuteEnd | None = None
    at: int | None = None


def step(mute: Mute, progress: Progress, times_ms: Sequence[int]) -> Step:
    """Take in events by when they were received, which rises; none of them from before the muting (MUTE-2)."""
    assert times_ms
    if mute.until_ms is not None:
        at = next((n for n, at_ms in enumerate(times_ms) if at_ms >= mute.until_ms), None)
        return Step(progress, None if at is None else MuteEnd.TIME, at)
    if mute.events is not None:
        counted = progress.events + len(times_ms)
        if counted < mute.events:
            return Step(Progress(counted))
        return Step(Progress(counted), MuteEnd.EVENTS, mute.events - progress.events - 1)
    if mute.per_hour is not None:
        return _by_rate(mute.per_hour, progress.minutes, times_ms)
    return Step(progress)


def _by_rate(per_hour: int, before: Mapping[int, int], times_ms: Sequence[int]) -> Step:
    minutes = dict(before)
    for at_ms in times_ms:
        minute = minute_of(at_ms)
        minutes[minute] = minutes.get(minute, 0) + 1
    if _is_over(minutes, per_hour):
        return Step(Progress(), MuteEnd.RATE, len(times_ms) - 1)
    since_ms = max(minutes) - (HOUR_MINUTES - 1) * MINUTE_MS
    return Step(Progress(minutes={minute: n for minute, n in minutes.items() if minute >= since_ms}))


def _is_over(minutes: Mapping[int, int], per_hour: int) -> bool:
    """Whether any sixty minutes in a row hold more than `per_hour` (MUTE-3)."""
    order = sorted(minutes)
    first, total = 0, 0
    for minute in order:
        total += minutes[minute]
        while order[first] <= minute - HOUR_MINUTES * MINUTE_MS:
            total -= minutes[order[first]]
            first += 1
        if total > per_hour:
            return True
    return False
