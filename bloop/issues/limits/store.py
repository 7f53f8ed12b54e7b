"""New issues that a project may still have."""

from __future__ import annotations

from collections import Counter

from bloop.base.clock import hour_of
from bloop.base.config import ProjectLimits
from bloop.base.limits import Limit
from bloop.db.engine import Db

# Both served by their primary keys; the triggers of `issues` keep the first.
_SELECT_ISSUES = "SELECT coalesce(sum(issue_count), 0) FROM status_counts WHERE project_id = ?"
_SELECT_NEW_ISSUES = "SELECT issue_count FROM new_issue_counts WHERE project_id = ? AND hour_ms = ?"
_ADD_NEW_ISSUES = """
INSERT INTO new_issue_counts VALUES (?, ?, ?)
    ON CONFLICT (project_id, hour_ms) DO UPDATE SET issue_count = new_issue_counts.issue_count + excluded.issue_count
"""


class IssueBudget:
    """The new issues of one batch against their projects' limits. Make one per batch, inside its transaction."""

    def __init__(self, db: Db, limits: ProjectLimits) -> None:
        self._db, self._limits = db, limits
        self._issues: dict[int, int] = {}
        self._hours: dict[tuple[int, int], int] = {}
        self._made: Counter[tuple[int, int]] = Counter()

    def take(self, project_id: int, received_at_ms: int) -> Limit | None:
        """Count one more issue of a project, unless a limit is met: then which one."""
        hour = project_id, hour_of(received_at_ms)
        issues, new_issues = self._issues.get(project_id), self._hours.get(hour)
        if issues is None:
            issues = int(self._db.execute(_SELECT_ISSUES, (project_id,)).get or 0)
        if new_issues is None:
            new_issues = int(self._db.execute(_SELECT_NEW_ISSUES, hour).get or 0)
        self._issues[project_id], self._hours[hour] = issues, new_issues
        if 0 < self._limits.issues <= issues:
            return Limit.ISSUES
        if 0 < self._limits.new_issues_per_hour <= new_issues:
            return Limit.NEW_ISSUES
        self._issues[project_id] += 1
        self._hours[hour] += 1
        self._made[hour] += 1
        return None

    def save(self) -> None:
        """Store how many were made in which hour."""
        if self._made:
            self._db.executemany(_ADD_NEW_ISSUES, [(*hour, count) for hour, count in self._made.items()])
