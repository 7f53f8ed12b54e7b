"""When to try a delivery again. Pure.

try           1    2    3    4    5    6     7     8     9     10
then wait s   5   12   31   78  195  488  1221  3052  3600      -     2 h 25 min in all, each up to a quarter shorter
"""

from __future__ import annotations

TRIES_MAX = 10
WAIT_FIRST_S, WAIT_FACTOR, WAIT_MAX_S = 5.0, 2.5, 3600.0


def wait_ms(tries: int, retry_after_s: float | None, jitter: float) -> int | None:
    """How long to wait after try number `tries`; None after the last.

    The receiver's Retry-After counts when it is longer than our wait, up to WAIT_MAX_S. `jitter` is from 0 to 1.
    """
    if tries >= TRIES_MAX:
        return None
    ours_s = min(WAIT_FIRST_S * WAIT_FACTOR ** (tries - 1), WAIT_MAX_S) * (1 - 0.25 * jitter)
    return round(min(max(ours_s, retry_after_s or 0.0), WAIT_MAX_S) * 1000)
