"""The only wall clock. Code that depends on the time takes `now_ms` as an argument, so tests can set it."""

from __future__ import annotations

import time

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


def now_ms() -> int:
    """Unix time in whole milliseconds, UTC."""
    return time.time_ns() // 1_000_000


def minute_of(at_ms: int) -> int:
    """The start of the minute `at_ms` falls in, in ms."""
    return at_ms - at_ms % MINUTE_MS


def hour_of(at_ms: int) -> int:
    """The start of the hour `at_ms` falls in, in ms; bloop's `hour_bucket`."""
    return at_ms - at_ms % HOUR_MS


def day_of(at_ms: int) -> int:
    """The start of the day (UTC) `at_ms` falls in, in ms."""
    return at_ms - at_ms % DAY_MS
