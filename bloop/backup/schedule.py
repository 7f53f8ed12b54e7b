"""When the next backup is due. Pure: the time comes in.

D1  One after every `backup.hour`, UTC: a clock that never jumps, whatever the server's zone does in spring. A database
    that is new waits for its first night.
D2  A night that was missed, because nothing ran or it failed, is made up as soon as possible, once.
D3  After a failure the pauses grow from RETRY_FIRST_MS to RETRY_MAX_MS: what fails costs disk and time as well.
D4  Times ahead of the clock are not believed: a clock that ran ahead for a while must not end backups for years.
"""

from __future__ import annotations

from bloop.backup.read import Past
from bloop.base.clock import DAY_MS, HOUR_MS

RETRY_FIRST_MS = 15 * 60 * 1000
RETRY_MAX_MS = 6 * HOUR_MS


def due_at_ms(hour: int, past: Past, now_ms: int) -> int:
    """From when on a backup is due; 0 when nothing says since when there is one to be made up."""
    since = [at for at in (past.created_at_ms, past.good_at_ms) if at is not None and at <= now_ms]
    due = next_hour_ms(max(since), hour) if since else 0
    if past.failures and past.failed_at_ms is not None and past.failed_at_ms <= now_ms:
        due = max(due, past.failed_at_ms + pause_ms(past.failures))
    return due


def next_hour_ms(since_ms: int, hour: int) -> int:
    """The first time after `since_ms` at which it is `hour` o'clock, UTC."""
    at = since_ms - since_ms % DAY_MS + hour * HOUR_MS
    return at if at > since_ms else at + DAY_MS


def pause_ms(failures: int) -> int:
    return min(RETRY_FIRST_MS << min(failures - 1, 10), RETRY_MAX_MS)
