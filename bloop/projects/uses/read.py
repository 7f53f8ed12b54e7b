"""Reads a person's pinned and recent projects."""

from __future__ import annotations

from typing import NamedTuple

from bloop.auth.principal import Principal, PrincipalKind
from bloop.db.engine import Db


class ProjectUses(NamedTuple):
    """Ids of projects: the pinned ones in the order they were pinned, and all opened ones, the last first."""

    pinned: tuple[int, ...] = ()
    recent: tuple[int, ...] = ()


# Served by the primary key.
_SELECT = """
SELECT u.project_id, u.pinned_at_ms
  FROM project_uses AS u
  JOIN projects AS p ON p.id = u.project_id AND p.deleted_at_ms IS NULL
 WHERE u.user_id = :user_id
 ORDER BY u.used_at_ms DESC, u.project_id
"""


def project_uses(db: Db, principal: Principal) -> ProjectUses:
    """Those of this person; a token has none."""
    if principal.kind not in (PrincipalKind.USER, PrincipalKind.OPERATOR):
        return ProjectUses()
    rows = list(db.execute(_SELECT, {"user_id": principal.id}))
    pinned = sorted((pinned_at_ms, project_id) for project_id, pinned_at_ms in rows if pinned_at_ms is not None)
    return ProjectUses(tuple(project_id for _, project_id in pinned), tuple(project_id for project_id, _ in rows))
