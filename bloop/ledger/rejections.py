"""The newest refusals, for people who look for an event that did not arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from bloop.base.outcomes import Outcome
from bloop.db.rows import ids_json


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


# A walk down the primary key: the table is kept short by its writer.
_SELECT = """
SELECT r.id, r.rejected_at_ms, p.public_id, p.name, r.outcome, r.detail, r.key_prefix, r.size_bytes, r.client,
       r.user_agent
  FROM rejections AS r
  LEFT JOIN projects AS p ON p.id = r.project_id AND p.deleted_at_ms IS NULL
 WHERE r.project_id IN (SELECT value FROM json_each(:project_ids))
 ORDER BY r.id DESC
 LIMIT :limit
"""


def list_rejections(db: apsw.Connection, project_ids: Sequence[int], limit: int) -> list[RejectionRow]:
    """Newest first. Id 0 among `project_ids` asks for those that named no project."""
    rows = db.execute(_SELECT, {"project_ids": ids_json(project_ids), "limit": limit})
    return [RejectionRow(*row)._replace(outcome=Outcome(row[4])) for row in rows]
