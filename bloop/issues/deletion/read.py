"""Reads which issues a search matches, and what deletions still have to do."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from bloop.db.engine import Db, ids_json
from bloop.db.walk import ROWS_MAX, keys
from bloop.issues.deletion.model import COUNTED_MAX, DELETED_PROJECT, DeletionProgress
from bloop.issues.read import IssueFilter, Sort, plan

_SUM_EVENTS = """
SELECT coalesce(sum(i.event_count), 0)
  FROM json_each(:issue_ids) AS wanted
  JOIN issues AS i ON i.id = wanted.value
"""
# Each stops at the limit.
_COUNT_WAITING = "SELECT count(*) FROM (SELECT 1 FROM issues_to_delete LIMIT :rows_max) AS counted"
_COUNT_PURGING = f"""
SELECT count(*) FROM (SELECT 1 FROM issues WHERE project_id = {DELETED_PROJECT} LIMIT :rows_max) AS counted
"""  # noqa: S608
_SELECT_WAITING = "SELECT issue_id FROM issues_to_delete ORDER BY issue_id LIMIT :rows_max"
_SELECT_DISCARDED = f"SELECT id FROM issues WHERE project_id = {DELETED_PROJECT} LIMIT :rows_max"  # noqa: S608
# Served by issues_by_last_seen, from its beginning.
_SELECT_UNSEEN = """
SELECT id
  FROM issues INDEXED BY issues_by_last_seen
 WHERE project_id = :project_id AND last_seen_ms < :before_ms AND assignee IS NULL
 ORDER BY last_seen_ms
 LIMIT :rows_max
"""


def matching_ids(
    db: Db, project_ids: Sequence[int], issue_filter: IssueFilter, *, rows_max: int | None = None
) -> array[int]:
    """Every issue that matches, as the list of issues would show page by page; at most `rows_max`."""
    found = array("q")
    way, before = plan(db, project_ids, issue_filter, Sort.FIRST_SEEN), None
    while rows_max is None or len(found) < rows_max:
        limit = ROWS_MAX if rows_max is None else min(ROWS_MAX, rows_max - len(found))
        page = keys(db, way.walk, way.arms, filters=way.filters, bindings=way.bindings, before=before, limit=limit)
        found.extend(key.id for key in page)
        if len(page) < limit:
            break
        before = page[-1]
    return found


def count_events(db: Db, issue_ids: Sequence[int]) -> int:
    """Events counted under these issues, also those whose details have expired."""
    return int(db.execute(_SUM_EVENTS, {"issue_ids": ids_json(issue_ids)}).get or 0)


def progress(db: Db) -> DeletionProgress:
    """What is left of all deletions, each number up to COUNTED_MAX."""
    bindings = {"rows_max": COUNTED_MAX}
    return DeletionProgress(
        int(db.execute(_COUNT_WAITING, bindings).get), int(db.execute(_COUNT_PURGING, bindings).get)
    )


def is_waiting(db: Db) -> bool:
    """Whether there is anything to discard or to purge."""
    return bool(waiting_ids(db, 1) or discarded_ids(db, 1))


def waiting_ids(db: Db, rows_max: int) -> list[int]:
    return [row[0] for row in db.execute(_SELECT_WAITING, {"rows_max": rows_max})]


def discarded_ids(db: Db, rows_max: int) -> list[int]:
    return [row[0] for row in db.execute(_SELECT_DISCARDED, {"rows_max": rows_max})]


def unseen_ids(db: Db, project_id: int, before_ms: int, rows_max: int) -> list[int]:
    """Issues of a project that nobody is assigned to, last seen before `before_ms`, the oldest first."""
    bindings = {"project_id": project_id, "before_ms": before_ms, "rows_max": rows_max}
    return [row[0] for row in db.execute(_SELECT_UNSEEN, bindings)]
