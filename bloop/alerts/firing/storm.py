"""Many firings of one rule at once: the first few are told one by one, the rest together once a minute. Pure.

T1  ALONE_MAX within STORM_MS are told at once. What comes after them is held until that minute is over and then told
    in one message. While the storm lasts, every minute brings one more message to each channel, and no other.
T2  A time in the future is from before the clock was put right, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

ALONE_MAX = 5
STORM_MS = 60_000


def hold_until(told: Sequence[tuple[int, bool]], held_until_ms: int | None, now_ms: int) -> int | None:
    """Until when to hold a firing; None: tell it at once.

    `told` are the newest ALONE_MAX times the rule spoke, newest first, and whether in a digest. `held_until_ms` is when
    the digest of what it holds already is due.
    """
    if held_until_ms is not None and held_until_ms <= now_ms + STORM_MS:
        return held_until_ms
    recent = [(at_ms, is_digest) for at_ms, is_digest in told if 0 <= now_ms - at_ms < STORM_MS]
    if any(is_digest for _, is_digest in recent):
        return recent[0][0] + STORM_MS
    return recent[-1][0] + STORM_MS if len(recent) >= ALONE_MAX else None
