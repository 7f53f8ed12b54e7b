"""The outbox, read from where a reader left off. Ids rise in the order of commits: one process writes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.db.engine import Db, ids_json


class SignalRow(NamedTuple):
    """One signal of an issue. The issue's columns are None when it is deleted."""

    id: int
    kind: str
    project_id: int
    project_public_id: str
    project_slug: str
    issue_id: int | None
    short_id: str | None
    fingerprint: str | None
    status: str | None
    at_ms: int
    data: str  # JSON


_SELECT_LAST_ID = "SELECT coalesce(max(id), 0) FROM signals"
_SELECT_FIRST_ID = "SELECT coalesce(min(id), 0) FROM signals"
# Served by the primary key; a signal of a project that was deleted is passed over.
_SELECT_AFTER = """
SELECT s.id, s.kind, s.project_id, p.public_id, p.slug, s.issue_id, p.short_prefix || '-' || i.short_number,
       i.fingerprint, i.status, s.at_ms, s.data
  FROM signals AS s
  JOIN projects AS p ON p.id = s.project_id AND p.deleted_at_ms IS NULL
  LEFT JOIN issues AS i ON i.id = s.issue_id AND i.project_id = s.project_id
 WHERE s.id > :after_id
 ORDER BY s.id
 LIMIT :limit
"""
# A seek per project at the end of issues_by_last_seen.
_SELECT_LAST_SEEN = """
SELECT p.value, (SELECT max(i.last_seen_ms) FROM issues AS i WHERE i.project_id = p.value)
  FROM json_each(:project_ids) AS p
"""


def last_id(db: Db) -> int:
    """The id of the newest signal, 0 before the first."""
    return int(db.execute(_SELECT_LAST_ID).get or 0)


def first_id(db: Db) -> int:
    """The id of the oldest signal that is kept, 0 when none is."""
    return int(db.execute(_SELECT_FIRST_ID).get or 0)


def after(db: Db, after_id: int, *, limit: int) -> list[SignalRow]:
    """Signals after `after_id`, in order, at most `limit` rows."""
    return [SignalRow(*row) for row in db.execute(_SELECT_AFTER, {"after_id": after_id, "limit": limit})]


def last_seen_ms(db: Db, project_ids: Sequence[int]) -> dict[int, int]:
    """When each project last counted an event of any issue; projects without issues are left out."""
    rows = db.execute(_SELECT_LAST_SEEN, {"project_ids": ids_json(project_ids)})
    return {project_id: at_ms for project_id, at_ms in rows if at_ms is not None}
