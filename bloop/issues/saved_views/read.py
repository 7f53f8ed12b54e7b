"""Reads saved views."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db
from bloop.issues.saved_views.model import href_of


class SavedViewRow(NamedTuple):
    """`place` counts from 1, among the owner's views or among the shared ones."""

    id: int
    owner_id: str
    owner_name: str | None  # None: the operator, or an account that is gone
    is_shared: int
    place: int
    name: str
    project_id: int | None
    project_slug: str | None
    project_name: str | None
    query: str

    @property
    def href(self) -> str:
        return href_of(self.project_slug or "", self.query)


_COLUMNS = """
SELECT v.id, v.owner_id, u.display_name, v.is_shared, v.place, v.name, v.project_id, p.slug, p.name, v.query
  FROM saved_views AS v
  LEFT JOIN projects AS p ON p.id = v.project_id
  LEFT JOIN webauthn_users AS u ON u.id = v.owner_id
"""
# Both served by saved_views_by_owner (is_shared, owner_id, place). Views of a deleted project wait to be removed.
_SELECT_OWN = f"""{_COLUMNS}
 WHERE v.is_shared = 0 AND v.owner_id = :owner_id AND p.deleted_at_ms IS NULL
 ORDER BY v.place, v.id
"""
_SELECT_SHARED = f"{_COLUMNS} WHERE v.is_shared = 1 AND p.deleted_at_ms IS NULL ORDER BY v.place, v.id"
_SELECT_ONE = f"{_COLUMNS} WHERE v.id = :id AND p.deleted_at_ms IS NULL"


def own_views(db: Db, owner_id: str) -> list[SavedViewRow]:
    """The views that only this person has, in their order."""
    return [SavedViewRow(*row) for row in db.execute(_SELECT_OWN, {"owner_id": owner_id})]


def shared_views(db: Db) -> list[SavedViewRow]:
    """The views that everybody has, in their order."""
    return [SavedViewRow(*row) for row in db.execute(_SELECT_SHARED)]


def visible_views(db: Db, owner_id: str) -> list[SavedViewRow]:
    """A person's own views, then the shared ones."""
    return own_views(db, owner_id) + shared_views(db)


def get_view(db: Db, view_id: int) -> SavedViewRow | None:
    row = db.execute(_SELECT_ONE, {"id": view_id}).fetchone()
    return SavedViewRow(*row) if row else None
