"""Forms of saved views: POST /views in the head of a list, and /settings/views to order, rename and delete them.

A form that is refused is shown again on the settings page, with the reason and what was typed.
"""

from __future__ import annotations

from typing import ClassVar

import falcon

from bloop.base.errors import Conflict, InvalidField, InvalidParameter
from bloop.issues.saved_views import actions
from bloop.issues.saved_views.model import parse_name, parse_query
from bloop.issues.saved_views.pages import SavedViewForm, views_page
from bloop.issues.saved_views.read import own_views, shared_views
from bloop.issues.status.flash import SAVED, Flash, leave_flash
from bloop.site import errors
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.html import back_to, send_page
from bloop.site.principal import principal_of
from bloop.site.settings_nav import VIEWS


class SaveView:
    """POST /views: `name`, `query`, which is the query of the list, and `is_shared`. 303 to the list it is now."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        fields = read_form(req)
        form = SavedViewForm(fields.get("name", ""), fields.get("query", ""), "is_shared" in fields)
        try:
            name, target = parse_name(form.name), parse_query(form.query)
            row = actions.create(self._deps, principal_of(req), name, target, is_shared=form.is_shared)
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            show_views(self._deps, req, resp, SavedViewForm(form.name, form.query, form.is_shared, str(error)))
            return
        leave_flash(resp, Flash(SAVED, 1))
        resp.status, resp.location = falcon.HTTP_303, row.href


class ViewsSettings:
    """/settings/views"""

    _steps: ClassVar[dict[str, int]] = {"up": -1, "down": 1}

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        show_views(self._deps, req, resp)

    def on_post_sort(self, req: falcon.Request, resp: falcon.Response) -> None:
        """By name: one's own, or with `is_shared` those of everybody."""
        actions.sort(self._deps, principal_of(req), is_shared="is_shared" in read_form(req))
        back_to(resp, VIEWS.href, "sorted")

    def on_post_one(self, req: falcon.Request, resp: falcon.Response, view_id: int) -> None:
        """A new `name`."""
        actions.require_changeable(self._deps, principal_of(req), view_id)
        form = read_form(req)
        try:
            actions.update(self._deps, principal_of(req), view_id, name=parse_name(form.get("name", "")))
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            show_views(self._deps, req, resp, SavedViewForm(problem=str(error)))
            return
        back_to(resp, VIEWS.href, "renamed")

    def on_post_move(self, req: falcon.Request, resp: falcon.Response, view_id: int) -> None:
        """`to` is `up` or `down`."""
        actions.require_changeable(self._deps, principal_of(req), view_id)
        step = self._steps.get(read_form(req).get("to", ""))
        if step is None:
            raise InvalidParameter("to", "must be up or down")
        actions.move(self._deps, principal_of(req), view_id, step)
        resp.status, resp.location = falcon.HTTP_303, VIEWS.href

    def on_post_delete(self, req: falcon.Request, resp: falcon.Response, view_id: int) -> None:
        read_form(req)
        actions.delete(self._deps, principal_of(req), view_id)
        back_to(resp, VIEWS.href, "deleted")


def show_views(deps: Deps, req: falcon.Request, resp: falcon.Response, form: SavedViewForm | None = None) -> None:
    """Answer with the settings page; `form` is one that was refused."""
    principal = principal_of(req)
    with deps.database.reader() as db:
        page = views_page(
            deps.shell(db, principal),
            own_views(db, principal.id),
            shared_views(db),
            principal,
            done=req.get_param("done") or "",
            form=form,
        )
    send_page(deps, req, resp, page)
