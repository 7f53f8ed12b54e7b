"""When the next backup is due. Pure: the time is a parameter.

SCHEDULE-1  A backup is due after every `backup.hour`, UTC: a clock without daylight saving. A new database waits for
    its first night.
SCHEDULE-2  A missed night, because bloop was down or the backup failed, is made up as soon as possible, once.
SCHEDULE-3  After a failure the pauses grow from RETRY_FIRST_MS to RETRY_MAX_MS: a failing backup costs disk and time
    too.
SCHEDULE-4  Times in the future are ignored: a clock that ran ahead for a while must not stop backups for years.
"""

from __future__ import annotations

from bloop.backup.read import ScheduleHistory
from bloop.base.clock import DAY_MS, HOUR_MS

RETRY_FIRST_MS = 15 * 60 * 1000
RETRY_MAX_MS = 6 * HOUR_MS


def due_at_ms(hour: int, history: ScheduleHistory, now_ms: int) -> int:
    """When the next backup is due; 0 (now) when the history has no time to count from."""
    since = [at for at in (history.created_at_ms, history.good_at_ms) if at is not None and at <= now_ms]
    due = next_hour_ms(max(since), hour) if since else 0
    if history.failures and history.failed_at_ms is not None and history.failed_at_ms <= now_ms:
        due = max(due, history.failed_at_ms + pause_ms(history.failures))
    return due


def next_hour_ms(since_ms: int, hour: int) -> int:
    """The first time after `since_ms` at which it is `hour` o'clock, UTC."""
    at = since_ms - since_ms % DAY_MS + hour * HOUR_MS
    return at if at > since_ms else at + DAY_MS


def pause_ms(failures: int) -> int:
    return min(RETRY_FIRST_MS << min(failures - 1, 10), RETRY_MAX_MS)
