"""The environments in which issues happened lately, for the rows of a list."""

from __future__ import annotations

from collections.abc import Sequence

from bloop.db.engine import Db, ids_json
from bloop.issues.counts.scope import CountScope

ROWS_MAX = 60  # of aggregates, of each issue: it may have thousands

# Served by aggregates_by_issue (issue_id, release, environment), a bounded part for each issue.
_SELECT = """
SELECT a.issue_id, a.environment, max(a.last_seen_ms)
  FROM json_each(:issue_ids) AS wanted
  JOIN aggregates AS a
    ON a.id IN (SELECT b.id FROM aggregates AS b
                 WHERE b.issue_id = wanted.value AND (:release = '' OR b.release = :release)
                 LIMIT :rows_max)
 WHERE a.last_seen_ms >= :from_ms AND a.first_seen_ms < :to_ms
 GROUP BY a.issue_id, a.environment
 ORDER BY max(a.last_seen_ms) DESC, a.environment
"""


def environments(db: Db, issue_ids: Sequence[int], scope: CountScope) -> dict[int, list[str]]:
    """By issue, the last seen first; of issues with very many releases a part. Issues without any are missing."""
    found: dict[int, list[str]] = {}
    bindings = {"issue_ids": ids_json(issue_ids), "release": scope.release, "rows_max": ROWS_MAX}
    window = {"from_ms": scope.window.from_ms, "to_ms": scope.window.to_ms}
    for issue_id, environment, _ in db.execute(_SELECT, bindings | window):
        found.setdefault(issue_id, []).append(environment)
    return found
