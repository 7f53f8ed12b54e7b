"""How much of its limits each project uses."""

from __future__ import annotations

from typing import NamedTuple

from bloop.base.clock import day_of, hour_of
from bloop.base.config import ProjectLimits
from bloop.base.limits import Limit
from bloop.db.engine import Db

NEAR = 0.8  # of a limit: from here on pages say so


class LimitUsage(NamedTuple):
    """A project that is near a limit, or has met it."""

    project_name: str
    limit: Limit
    used: int
    allowed: int

    @property
    def is_met(self) -> bool:
        return self.used >= self.allowed


# A dozen rows per project, each served by a primary key. CROSS JOIN keeps projects outside: new_issue_counts has a row
# per hour, and only one of them is read.
_SELECT_USED = """
SELECT p.name, k.kind, k.row_count
  FROM projects AS p CROSS JOIN kept_counts AS k
 WHERE k.project_id = p.id AND p.deleted_at_ms IS NULL
UNION ALL
SELECT p.name, 2, sum(s.issue_count)
  FROM projects AS p CROSS JOIN status_counts AS s
 WHERE s.project_id = p.id AND p.deleted_at_ms IS NULL
 GROUP BY p.id, p.name
UNION ALL
SELECT p.name, 1, n.issue_count
  FROM projects AS p CROSS JOIN new_issue_counts AS n
 WHERE n.project_id = p.id AND n.hour_ms = :hour_ms AND p.deleted_at_ms IS NULL
UNION ALL
SELECT p.name, 8, b.byte_count
  FROM projects AS p CROSS JOIN day_bytes AS b
 WHERE b.day_ms = :day_ms AND b.project_id = p.id AND p.deleted_at_ms IS NULL
"""


def list_usages(db: Db, limits: ProjectLimits, now_ms: int) -> list[LimitUsage]:
    """Every project and limit from NEAR on, the fullest first; limits that are off have none."""
    allowed = {limit: limit.of(limits) for limit in Limit}
    rows = db.execute(_SELECT_USED, {"hour_ms": hour_of(now_ms), "day_ms": day_of(now_ms)})
    usages = [LimitUsage(name, Limit(kind), used, allowed[Limit(kind)]) for name, kind, used in rows]
    near = [usage for usage in usages if usage.allowed and usage.used >= NEAR * usage.allowed]
    return sorted(near, key=lambda usage: usage.used / usage.allowed, reverse=True)
