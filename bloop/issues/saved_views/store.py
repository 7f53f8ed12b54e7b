"""Creates, changes, orders and deletes saved views. Call inside a transaction.

SAVED-3  Places of a list are 1, 2, 3 … without gaps: each change writes those that moved.
"""

from __future__ import annotations

from collections.abc import Sequence

from bloop.base.errors import Conflict
from bloop.db.engine import Db
from bloop.issues.saved_views.model import OWN_MAX, SHARED_MAX
from bloop.issues.saved_views.read import SavedViewRow, own_views, shared_views

_INSERT = """
INSERT INTO saved_views (owner_id, is_shared, place, name, project_id, query, changed_at_ms)
VALUES (:owner_id, :is_shared, :place, :name, :project_id, :query, :now_ms)
RETURNING id
"""
_UPDATE = """
UPDATE saved_views
   SET name = :name, project_id = :project_id, query = :query, is_shared = :is_shared, owner_id = :owner_id,
       changed_at_ms = :now_ms
 WHERE id = :id
"""
_SET_PLACE = "UPDATE saved_views SET place = :place WHERE id = :id AND place <> :place"
_DELETE = "DELETE FROM saved_views WHERE id = :id"


def create_view(
    db: Db, *, owner_id: str, name: str, project_id: int | None, query: str, is_shared: bool, now_ms: int
) -> int:
    """The id of a new view, the last of its list.

    Raises:
        Conflict: the name is taken in this list, or the list is full (SAVED-2).
    """
    others = _list_of(db, owner_id, is_shared=is_shared)
    _check(others, name, is_shared=is_shared)
    row = {
        "owner_id": owner_id,
        "is_shared": int(is_shared),
        "place": len(others) + 1,
        "name": name,
        "project_id": project_id,
        "query": query,
        "now_ms": now_ms,
    }
    return int(db.execute(_INSERT, row).get)


def change_view(
    db: Db,
    view: SavedViewRow,
    *,
    actor_id: str,
    name: str,
    project_id: int | None,
    query: str,
    is_shared: bool,
    now_ms: int,
) -> None:
    """Change a view; one that is shared, or no longer shared, becomes the last of its new list. A view that is taken
    back from everybody is then its changer's.

    Raises:
        Conflict: as `create_view`.
    """
    is_moved = is_shared != bool(view.is_shared)
    owner_id = actor_id if is_moved and not is_shared else view.owner_id
    others = [row for row in _list_of(db, owner_id, is_shared=is_shared) if row.id != view.id]
    _check(others, name, is_shared=is_shared)
    row = {
        "id": view.id,
        "name": name,
        "project_id": project_id,
        "query": query,
        "is_shared": int(is_shared),
        "owner_id": owner_id,
        "now_ms": now_ms,
    }
    db.execute(_UPDATE, row)
    if is_moved:
        _number(db, _list_of(db, view.owner_id, is_shared=bool(view.is_shared)))
        _number(db, [*others, view])


def move_view(db: Db, view: SavedViewRow, place: int) -> None:
    """Give a view this place in its list, the nearest there is; the others keep their order."""
    rows = [row for row in _list_of(db, view.owner_id, is_shared=bool(view.is_shared)) if row.id != view.id]
    rows.insert(min(max(place, 1), len(rows) + 1) - 1, view)
    _number(db, rows)


def sort_views(db: Db, owner_id: str, *, is_shared: bool) -> None:
    """Order a list by name."""
    _number(db, sorted(_list_of(db, owner_id, is_shared=is_shared), key=lambda row: (row.name.casefold(), row.id)))


def delete_view(db: Db, view: SavedViewRow) -> None:
    db.execute(_DELETE, {"id": view.id})
    _number(db, _list_of(db, view.owner_id, is_shared=bool(view.is_shared)))


def _list_of(db: Db, owner_id: str, *, is_shared: bool) -> list[SavedViewRow]:
    return shared_views(db) if is_shared else own_views(db, owner_id)


def _number(db: Db, rows: Sequence[SavedViewRow]) -> None:
    for place, row in enumerate(rows, 1):
        db.execute(_SET_PLACE, {"id": row.id, "place": place})


def _check(others: Sequence[SavedViewRow], name: str, *, is_shared: bool) -> None:
    if any(row.name.casefold() == name.casefold() for row in others):
        raise Conflict(f"there is a view called {name} already")
    if len(others) >= (SHARED_MAX if is_shared else OWN_MAX):
        whose = f"{SHARED_MAX} shared views" if is_shared else f"{OWN_MAX} views of your own"
        raise Conflict(f"there are {whose}, the most there can be: delete one first")
