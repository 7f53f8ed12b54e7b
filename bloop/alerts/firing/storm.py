"""Many firings of one rule at once: the first few are sent singly, the rest in one digest a minute. Pure.

STORM-1  ALONE_MAX firings within STORM_MS are sent at once. Later ones are held until that minute is over and then sent
         in one message. While the storm lasts, each channel gets one message a minute.
STORM-2  A time in the future is from before the clock was corrected, and is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

ALONE_MAX = 5
STORM_MS = 60_000


def hold_until(sent: Sequence[tuple[int, bool]], held_until_ms: int | None, now_ms: int) -> int | None:
    """Until when to hold a firing; None: send it at once.

    `sent` are the times of the rule's newest ALONE_MAX alerts, newest first, each with whether it was a digest.
    `held_until_ms` is when the digest of the firings held already is due.
    """
    if held_until_ms is not None and held_until_ms <= now_ms + STORM_MS:
        return held_until_ms
    recent = [(at_ms, is_digest) for at_ms, is_digest in sent if 0 <= now_ms - at_ms < STORM_MS]
    if any(is_digest for _, is_digest in recent):
        return recent[0][0] + STORM_MS
    return recent[-1][0] + STORM_MS if len(recent) >= ALONE_MAX else None
