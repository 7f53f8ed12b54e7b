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
from enum import IntEnum

from bloop.base.clock import HOUR_MS, hour_of
from bloop.base.config import ProjectLimits

OVERFLOW_FINGERPRINT = "overflow"
OVERFLOW_NAME = "(overflow)"
BY_LIMITS = "limits"  # issues.fingerprint_algorithm of the issue that bloop makes for OVERFLOW_FINGERPRINT


class Limit(IntEnum):
    """What is limited. Codes are stored: append, never renumber."""

    NEW_ISSUES = 1
    ISSUES = 2
    RELEASES = 3
    ROUTES = 4
    ENVIRONMENTS = 5
    SOURCES = 6
    COMBINATIONS = 7
    BYTES = 8

    @property
    def key(self) -> str:
        """Its setting in [limits], which is also its name in the API."""
        return _KEYS[self]

    @property
    def words(self) -> str:
        """As in "10,000 releases"."""
        return _WORDS[self]

    def of(self, limits: ProjectLimits) -> int:
        """The number that is set; 0 for no limit."""
        return int(getattr(limits, self.key))


_KEYS = {
    Limit.NEW_ISSUES: "new_issues_per_hour",
    Limit.ISSUES: "issues",
    Limit.RELEASES: "releases",
    Limit.ROUTES: "routes",
    Limit.ENVIRONMENTS: "environments",
    Limit.SOURCES: "sources",
    Limit.COMBINATIONS: "combinations",
    Limit.BYTES: "bytes_per_day",
}
_WORDS = {
    Limit.NEW_ISSUES: "new issues this hour",
    Limit.ISSUES: "issues",
    Limit.RELEASES: "releases",
    Limit.ROUTES: "routes",
    Limit.ENVIRONMENTS: "environments",
    Limit.SOURCES: "sources",
    Limit.COMBINATIONS: "combinations of issue, release and environment",
    Limit.BYTES: "bytes today",
}


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
