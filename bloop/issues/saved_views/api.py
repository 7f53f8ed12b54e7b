"""/v1/views: the saved views of a person, and those that everybody has."""

from __future__ import annotations

from typing import Any

import falcon

from bloop.auth.principal import Principal
from bloop.base.errors import InvalidField
from bloop.issues.saved_views import actions
from bloop.issues.saved_views.model import OWN_MAX, SHARED_MAX, may_change, parse_name, parse_query
from bloop.issues.saved_views.read import SavedViewRow, visible_views
from bloop.site.bodies import answer_json, read_json, text_in
from bloop.site.deps import Deps
from bloop.site.principal import principal_of


class ViewsApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The own ones first, each list in its order."""
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            rows = visible_views(db, principal.id)
        answer_json(resp, {"views": [view_json(row, principal) for row in rows]})

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, body = principal_of(req), read_json(req)
        name, target = parse_name(text_in(body, "name")), parse_query(text_in(body, "query"))
        row = actions.create(self._deps, principal, name, target, is_shared=_flag(body, "is_shared") or False)
        answer_json(resp, view_json(row, principal))

    def on_put_one(self, req: falcon.Request, resp: falcon.Response, view_id: int) -> None:
        """What is given of `name`, `query`, `is_shared` and `place`."""
        principal, body = principal_of(req), read_json(req)
        row = actions.update(
            self._deps,
            principal,
            view_id,
            name=None if body.get("name") is None else parse_name(text_in(body, "name")),
            target=None if body.get("query") is None else parse_query(text_in(body, "query")),
            is_shared=_flag(body, "is_shared"),
            place=_place(body),
        )
        answer_json(resp, view_json(row, principal))

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, view_id: int) -> None:
        actions.delete(self._deps, principal_of(req), view_id)
        answer_json(resp, {"deleted": view_id})


def view_json(row: SavedViewRow, principal: Principal) -> dict[str, Any]:
    is_shared = bool(row.is_shared)
    return {
        "id": row.id,
        "name": row.name,
        "project": row.project_slug,
        "query": row.query,
        "href": row.href,
        "is_shared": is_shared,
        "place": row.place,
        "owner": row.owner_name,
        "may_change": may_change(principal, row.owner_id, is_shared=is_shared),
    }


def _flag(body: dict[str, Any], name: str) -> bool | None:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidField(name, f"{name} must be true or false")
    return value


def _place(body: dict[str, Any]) -> int | None:
    value = body.get("place")
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= max(OWN_MAX, SHARED_MAX):
        raise InvalidField("place", f"place must be a whole number from 1 to {max(OWN_MAX, SHARED_MAX)}")
    return value
