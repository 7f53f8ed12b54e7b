"""The outcomes of all received records: sums of the ledger, one category at a time, and the newest refusals.

Project 0 stands for requests that named no project.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.base.limits import Limit
from bloop.base.outcomes import NO_PROJECT, Category, Outcome
from bloop.db.engine import Db, ids_json


class BucketCount(NamedTuple):
    start_ms: int
    outcome: Outcome
    record_count: int


class RejectionRow(NamedTuple):
    id: int
    rejected_at_ms: int
    project_public_id: str | None  # None: the request named no known project
    project_name: str | None
    outcome: Outcome
    detail: str
    key_prefix: str
    size_bytes: int | None
    client: str
    user_agent: str


# Served by the primary key (minute_ms, project_id, category, outcome): a day is 1440 minutes of a few rows each.
_SELECT_SINCE = """
SELECT l.outcome, sum(l.count)
  FROM ledger AS l
 WHERE l.minute_ms >= :since_ms AND l.project_id IN (SELECT value FROM json_each(:project_ids))
   AND l.category = :category
 GROUP BY l.outcome
"""
_SELECT_BUCKETS = """
SELECT l.minute_ms - l.minute_ms % :bucket_ms, l.outcome, sum(l.count)
  FROM ledger AS l
 WHERE l.minute_ms >= :since_ms AND l.project_id IN (SELECT value FROM json_each(:project_ids))
   AND l.category = :category
 GROUP BY 1, l.outcome
 ORDER BY 1, l.outcome
"""
_SELECT_PROJECT_IDS = "SELECT id FROM projects UNION SELECT project_id FROM ledger_totals ORDER BY 1"
_SELECT_TOTALS = """
SELECT t.outcome, sum(t.count)
  FROM ledger_totals AS t
 WHERE t.project_id IN (SELECT value FROM json_each(:project_ids)) AND t.category = :category
 GROUP BY t.outcome
"""
# A walk down the primary key: the writer keeps the table short.
_SELECT_REJECTIONS = """
SELECT r.id, r.rejected_at_ms, p.public_id, p.name, r.outcome, r.detail, r.key_prefix, r.size_bytes, r.client,
       r.user_agent
  FROM rejections AS r
  LEFT JOIN projects AS p ON p.id = r.project_id AND p.deleted_at_ms IS NULL
 WHERE r.project_id IN (SELECT value FROM json_each(:project_ids))
 ORDER BY r.id DESC
 LIMIT :limit
"""
# Served by the primary key (project_id, hour_ms, kind).
_SELECT_OVERFLOWS = """
SELECT o.kind, sum(o.event_count)
  FROM json_each(:project_ids) AS wanted
  JOIN overflow_counts AS o ON o.project_id = wanted.value AND o.hour_ms >= :since_ms
 GROUP BY o.kind
"""


def outcomes_since(
    db: Db, project_ids: Sequence[int], since_ms: int, *, category: Category = Category.EVENT
) -> dict[Outcome, int]:
    """Records per outcome in the minutes that start at `since_ms` or later; outcomes without any are missing."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms, "category": category}
    return {Outcome(code): count for code, count in db.execute(_SELECT_SINCE, bindings)}


def totals(db: Db, project_ids: Sequence[int], *, category: Category = Category.EVENT) -> dict[Outcome, int]:
    """All-time records per outcome."""
    bindings = {"project_ids": ids_json(project_ids), "category": category}
    return {Outcome(code): n for code, n in db.execute(_SELECT_TOTALS, bindings)}


def buckets_since(
    db: Db,
    project_ids: Sequence[int],
    since_ms: int,
    *,
    bucket_ms: int,
    category: Category = Category.EVENT,
) -> list[BucketCount]:
    """Hour by hour or day by day (UTC), ascending; `since_ms` starts a bucket."""
    assert since_ms % bucket_ms == 0
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms, "category": category}
    rows = db.execute(_SELECT_BUCKETS, bindings | {"bucket_ms": bucket_ms})
    return [BucketCount(start_ms, Outcome(code), count) for start_ms, code, count in rows]


def overflows_since(db: Db, project_ids: Sequence[int], since_ms: int) -> dict[Limit, int]:
    """Events by the limit that put them elsewhere, in the hours that start at `since_ms` or later."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms}
    return {Limit(kind): count for kind, count in db.execute(_SELECT_OVERFLOWS, bindings)}


def all_project_ids(db: Db) -> tuple[int, ...]:
    """All ids in the ledger: projects, also deleted ones, and NO_PROJECT."""
    return (NO_PROJECT, *(row[0] for row in db.execute(_SELECT_PROJECT_IDS) if row[0] != NO_PROJECT))


def list_rejections(db: Db, project_ids: Sequence[int], limit: int) -> list[RejectionRow]:
    """Refusals, newest first. Id 0 in `project_ids` includes those without a project."""
    rows = db.execute(_SELECT_REJECTIONS, {"project_ids": ids_json(project_ids), "limit": limit})
    return [RejectionRow(*row)._replace(outcome=Outcome(row[4])) for row in rows]
