"""What of a project is limited ([limits] in the settings), and the name that stands for what is beyond."""

from __future__ import annotations

from enum import IntEnum

from bloop.base.config import ProjectLimits

OVERFLOW_NAME = "(overflow)"


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

    @property
    def overflow_words(self) -> str:
        """What happened to the events beyond it."""
        if self in (Limit.NEW_ISSUES, Limit.ISSUES):
            return "Under the issue overflow"
        return f"Counted under {OVERFLOW_NAME}: {self.words}"

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
