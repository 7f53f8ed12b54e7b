"""/settings/projects: the list of projects and the settings of each.

PROJECTS-1  A change is a POST that answers 303 back to a page which says what was done. A refused form comes back with
            its input, the reason and the status of the error.
PROJECTS-2  The POST that creates a key answers with it; such a page is never compressed or cached. The form that
            rotates a key names the one it replaces, so that sending it twice rotates once.
"""

from __future__ import annotations

from collections.abc import Mapping

import falcon

from bloop.accounts.people.read import display_names
from bloop.auth.access import may_manage
from bloop.base.errors import BloopError, Conflict, InvalidField
from bloop.projects import api as projects
from bloop.projects import pages as project_pages
from bloop.projects.read import list_keys, list_projects, project_contents, require_project
from bloop.site import errors
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.html import back_to, send_page
from bloop.site.principal import principal_of
from bloop.site.settings_nav import PROJECTS

MS_DIGITS_MAX = 16  # of a form field in milliseconds


class ProjectsSettings:
    """/settings/projects"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._show(req, resp, {}, "")

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req)
        try:
            project, key = projects.create(
                self._deps, principal_of(req), form.get("name", ""), form.get("slug", "").strip()
            )
        except (InvalidField, Conflict) as error:
            resp.status = errors.status_of(error)
            self._show(req, resp, form, str(error))
            return
        self._deps.hooks.show_key(self._deps, req, resp, project.slug, key)

    def _show(self, req: falcon.Request, resp: falcon.Response, form: Mapping[str, str], problem: str) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            rows = list_projects(db)
            page = project_pages.projects_page(
                self._deps.shell(db, principal),
                rows,
                display_names(db),
                is_admin=principal.is_admin,
                notice=req.get_param("done") or "",
                problem=problem,
                form=form,
                now_ms=self._deps.now_ms(),
            )
        send_page(self._deps, req, resp, page)


class ProjectSettings:
    """/settings/projects/{slug}"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        self._show(req, resp, slug, "")

    def on_post(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        form = self._form(req, slug)
        try:
            projects.change(self._deps, principal_of(req), slug, name=form.get("name", ""))
        except InvalidField as error:
            self._show_problem(req, resp, slug, error)
            return
        back_to(resp, project_pages.project_href(slug), "renamed")

    def on_post_options(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        form = self._form(req, slug)
        try:
            if "search_keys" in form:
                keys = form["search_keys"].split(",")
                projects.change(self._deps, principal_of(req), slug, search_keys=keys)
            else:
                projects.change(self._deps, principal_of(req), slug, oversize=form.get("oversize", ""))
        except InvalidField as error:
            self._show_problem(req, resp, slug, error)
            return
        back_to(resp, project_pages.project_href(slug), "options")

    def on_post_rotate(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        form = self._form(req, slug)
        made_at_ms, keep_days = _whole_number(form.get("made", "")), _whole_number(form.get("keep_days", "0"))
        try:
            _, key = projects.rotate(self._deps, principal_of(req), slug, keep_days=keep_days, made_at_ms=made_at_ms)
        except (Conflict, InvalidField) as error:
            self._show_problem(req, resp, slug, error)
            return
        self._deps.hooks.show_key(self._deps, req, resp, slug, key)

    def on_post_end_key(self, req: falcon.Request, resp: falcon.Response, slug: str, key_id: int) -> None:
        projects.end_key(self._deps, principal_of(req), slug, key_id)
        back_to(resp, project_pages.project_href(slug), "key-ended")

    def on_post_delete(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        if self._form(req, slug).get("confirm", "").strip() != slug:
            problem = InvalidField("confirm", f"Nothing was deleted: type {slug} to confirm.")
            self._show_problem(req, resp, slug, problem)
            return
        try:
            projects.delete(self._deps, principal_of(req), slug)
        except InvalidField as error:
            self._show_problem(req, resp, slug, error)
            return
        back_to(resp, PROJECTS.href, "deleted")

    def _form(self, req: falcon.Request, slug: str) -> dict[str, str]:
        """The form. Check permission before validating, so that forbidden callers always get 403."""
        with self._deps.database.reader() as db:
            projects.require_managed_project(db, principal_of(req), slug)
        return read_form(req)

    def _show_problem(self, req: falcon.Request, resp: falcon.Response, slug: str, error: BloopError) -> None:
        resp.status = errors.status_of(error)
        self._show(req, resp, slug, str(error))

    def _show(self, req: falcon.Request, resp: falcon.Response, slug: str, problem: str) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        with self._deps.database.reader() as db:
            project = require_project(db, slug)
            page = project_pages.project_page(
                self._deps.shell(db, principal),
                project,
                project_contents(db, project.id, now_ms),
                list_keys(db, project, now_ms),
                display_names(db),
                may_manage=may_manage(principal, project.created_by),
                is_admin=principal.is_admin,
                notice=req.get_param("done") or "",
                problem=problem,
                now_ms=now_ms,
            )
        send_page(self._deps, req, resp, page)


def _whole_number(text: str) -> int:
    """-1 for anything else: no key was made then, and no number of days is below 0."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MS_DIGITS_MAX else -1
