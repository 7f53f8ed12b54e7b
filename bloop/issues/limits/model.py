"""The limits of a project, and the names that stand for what is beyond them. Pure.

LIMITS-1  Every event is stored, whatever limit its project has met. Beyond a limit it is only counted elsewhere: under
    the issue `overflow`, or under a release, route, environment or source named `(overflow)`. The stored event keeps
    the names it came with.
LIMITS-2  A limit is judged in the writer's transaction, by numbers that the same transaction changes (kept_counts,
    status_counts, new_issue_counts). A crash or a rollback never makes them differ from the rows they count.
LIMITS-3  What a project has already stays what it is: a lower limit only refuses what is new.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bloop.base.clock import HOUR_MS, hour_of
from bloop.base.limits import Limit

OVERFLOW_FINGERPRINT = "overflow"
BY_LIMITS = "limits"  # issues.fingerprint_algorithm of the issue that bloop makes for OVERFLOW_FINGERPRINT


def describe_users(count: int, *, is_estimate: bool) -> str:
    """`812`, `9,431`, or `about 12,400`: an estimate has three digits worth saying."""
    if not is_estimate:
        return f"{count:,}"
    unit = 10 ** max(0, len(str(count)) - 3)
    return f"about {(count + unit // 2) // unit * unit:,}"


def describe_overflow(limit: Limit, number: int, received_at_ms: int) -> str:
    """The message of the issue `overflow`: which limit was met, and when it ends."""
    if limit is Limit.NEW_ISSUES:
        ends = datetime.fromtimestamp((hour_of(received_at_ms) + HOUR_MS) / 1000, UTC)
        return (
            f"This project had {number:,} new issues in an hour, its limit. Events of further new issues are here "
            f"until {ends:%Y-%m-%d %H:%M} UTC. The setting is limits.{limit.key}"
        )
    return (
        f"This project has {number:,} issues, its limit. Events of further new issues are here until issues are "
        f"deleted or the setting limits.{limit.key} is raised"
    )
