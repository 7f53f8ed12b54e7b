"""Pins: PUT and DELETE /v1/projects/{slug}/pin, and the form in the switcher. Opening a project is noted too."""

from __future__ import annotations

import contextlib

import falcon

from bloop.auth.principal import PrincipalKind
from bloop.base.errors import StorageError
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.projects.read import get_project, require_project
from bloop.projects.uses import store
from bloop.site.bodies import answer_json, read_form, read_optional_json
from bloop.site.contexts import Shell
from bloop.site.deps import Deps
from bloop.site.links import page_before
from bloop.site.principal import principal_of


class ProjectPins:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_put(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        read_optional_json(req)
        self._set(req, slug, is_pinned=True)
        answer_json(resp, {"project": slug, "pinned": True})

    def on_delete(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        self._set(req, slug, is_pinned=False)
        answer_json(resp, {"project": slug, "pinned": False})

    def on_post_form(self, req: falcon.Request, resp: falcon.Response) -> None:
        """`pin` or `unpin` with the slug of a project; 303 back to the page with the switcher."""
        form = read_form(req)
        slug = form.get("pin") or form.get("unpin", "")
        self._set(req, slug, is_pinned="pin" in form)
        resp.status, resp.location = falcon.HTTP_303, page_before(req)

    def _set(self, req: falcon.Request, slug: str, *, is_pinned: bool) -> None:
        user_id, now_ms = principal_of(req).id, self._deps.now_ms()

        def change(db: Db) -> None:
            project_id = require_project(db, slug).id
            if is_pinned:
                store.pin(db, user_id, project_id, now_ms)
            else:
                store.unpin(db, user_id, project_id)

        self._deps.database.change(change)


def note_project(deps: Deps, req: falcon.Request, shell: Shell) -> None:
    """Note that a person opened the project of this page, unless it is the one they opened last."""
    slug = shell.current.slug
    principal = getattr(req.context, "principal", None)
    if not slug or slug == shell.last_opened or principal is None:
        return
    if principal.kind not in (PrincipalKind.USER, PrincipalKind.OPERATOR):
        return

    def change(db: Db) -> None:
        project = get_project(db, slug)
        if project is not None:
            store.note_use(db, principal.id, project.id, deps.now_ms())

    with contextlib.suppress(StorageError, db_errors.Error):  # a page must not fail for it
        deps.database.change(change, wait=False)
