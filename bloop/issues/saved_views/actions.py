"""What people do with saved views, for the API and the pages: checked, each in a transaction of its own."""

from __future__ import annotations

from bloop.auth.principal import Principal
from bloop.base.errors import Forbidden, InvalidField, NotFound
from bloop.db.engine import Db
from bloop.issues.saved_views import store
from bloop.issues.saved_views.model import ListQuery, may_change
from bloop.issues.saved_views.read import SavedViewRow, get_view
from bloop.projects.read import get_project
from bloop.site.deps import Deps

ADMINS_SHARE = "only admins can share a view with all users"


def create(deps: Deps, principal: Principal, name: str, target: ListQuery, *, is_shared: bool) -> SavedViewRow:
    """Save a list under a name.

    Raises:
        Forbidden: to share is for admins.
        InvalidField: there is no such project.
        Conflict: the name is taken, or there are too many.
    """
    if is_shared and not principal.is_admin:
        raise Forbidden(ADMINS_SHARE)
    now_ms = deps.now_ms()

    def change(db: Db) -> SavedViewRow:
        view_id = store.create_view(
            db,
            owner_id=principal.id,
            name=name,
            project_id=_project_id(db, target),
            query=target.query,
            is_shared=is_shared,
            now_ms=now_ms,
        )
        return _require(db, principal, view_id)

    return deps.database.change(change)


def require_changeable(deps: Deps, principal: Principal, view_id: int) -> None:
    """Check before a form is read, so that its mistakes do not hide these. Raises: NotFound, Forbidden."""
    with deps.database.reader() as db:
        _require_mine(db, principal, view_id)


def update(
    deps: Deps,
    principal: Principal,
    view_id: int,
    *,
    name: str | None = None,
    target: ListQuery | None = None,
    is_shared: bool | None = None,
    place: int | None = None,
) -> SavedViewRow:
    """Change what is given of a view; None leaves it as it is.

    Raises:
        NotFound: there is none, or it is somebody else's.
        Forbidden: shared views are for admins to change.
        InvalidField: there is no such project.
        Conflict: the name is taken, or there are too many.
    """
    now_ms = deps.now_ms()

    def change(db: Db) -> SavedViewRow:
        view = _require_mine(db, principal, view_id)
        if is_shared and not principal.is_admin:
            raise Forbidden(ADMINS_SHARE)
        store.change_view(
            db,
            view,
            actor_id=principal.id,
            name=view.name if name is None else name,
            project_id=view.project_id if target is None else _project_id(db, target),
            query=view.query if target is None else target.query,
            is_shared=bool(view.is_shared) if is_shared is None else is_shared,
            now_ms=now_ms,
        )
        if place is not None:
            store.move_view(db, _require(db, principal, view_id), place)
        return _require(db, principal, view_id)

    return deps.database.change(change)


def move(deps: Deps, principal: Principal, view_id: int, by: int) -> None:
    """Move a view up (-1) or down (1) in its list. Raises: NotFound, Forbidden."""

    def change(db: Db) -> None:
        view = _require_mine(db, principal, view_id)
        store.move_view(db, view, view.place + by)

    deps.database.change(change)


def sort(deps: Deps, principal: Principal, *, is_shared: bool) -> None:
    """Order one's own views by name, or the shared ones. Raises: Forbidden."""
    if is_shared and not principal.is_admin:
        raise Forbidden(ADMINS_SHARE)
    deps.database.change(lambda db: store.sort_views(db, principal.id, is_shared=is_shared))


def delete(deps: Deps, principal: Principal, view_id: int) -> None:
    """Raises: NotFound, Forbidden."""
    deps.database.change(lambda db: store.delete_view(db, _require_mine(db, principal, view_id)))


def _require(db: Db, principal: Principal, view_id: int) -> SavedViewRow:
    view = get_view(db, view_id)
    if view is None or not (view.is_shared or view.owner_id == principal.id):
        raise NotFound("view not found")
    return view


def _require_mine(db: Db, principal: Principal, view_id: int) -> SavedViewRow:
    view = _require(db, principal, view_id)
    if not may_change(principal, view.owner_id, is_shared=bool(view.is_shared)):
        raise Forbidden("only admins can change a shared view")
    return view


def _project_id(db: Db, target: ListQuery) -> int | None:
    if not target.project:
        return None
    project = get_project(db, target.project)
    if project is None:
        raise InvalidField("query", f"query names a project that does not exist: {target.project}")
    return project.id
