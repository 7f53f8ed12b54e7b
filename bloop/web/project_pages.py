"""Pages about projects: their settings, their tokens, and how to send a first event.

J1  A change is a POST that answers 303 back to a page which says what was done. A form that will not do comes back as
    it was typed, with the reason and the status of the error.
J2  A key or a token is the answer to the very POST that made it; such a page is never packed and never cached. The form
    for a new key names the one it replaces, so that a page sent again makes no second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import apsw
import falcon
import orjson

from bloop.auth.access import PAGE, SESSION, may_manage, may_revoke
from bloop.auth.principal import Principal
from bloop.errors import BloopError, Conflict, InvalidField, RingError, StorageError
from bloop.pages import build, onboarding
from bloop.pages import projects as project_pages
from bloop.pages.contexts import Shell
from bloop.pages.listing import IssueView
from bloop.pages.settings_contexts import FreshToken
from bloop.pages.settings_nav import PROJECTS, TOKENS
from bloop.query import issues, pages
from bloop.query.projects import ProjectRow, list_projects, project_contents, signing_key
from bloop.query.tokens import TokenRow, list_tokens
from bloop.query.users import list_users
from bloop.web import errors
from bloop.web.api import projects, tokens
from bloop.web.authenticate import principal_of
from bloop.web.bodies import answer_json, read_form
from bloop.web.deps import Deps
from bloop.web.html import send_page, send_secret_page
from bloop.web.routes import Routes
from bloop.web.settings_pages import settings_shell

MS_DIGITS_MAX = 16  # of a time in a form
TEST_EVENT = {
    "source": "api",
    "environment": "test",
    "release": "bloop",
    "error_type": "TestError",
    "message": "A test error, sent from the set-up page",
    "stack": "TestError: A test error, sent from the set-up page\n    at sendTestError (setup.js:1:1)",
}


def mount_project_pages(routes: Routes, deps: Deps) -> None:
    """Add them."""
    all_projects, one, all_tokens, setup = Projects(deps), Project(deps), Tokens(deps), Setup(deps)
    routes.add(PROJECTS.href, all_projects, GET=PAGE, POST=PAGE)
    routes.add(f"{PROJECTS.href}/{{slug}}", one, GET=PAGE, POST=PAGE)
    routes.add(f"{PROJECTS.href}/{{slug}}/rotate", one, suffix="rotate", POST=PAGE)
    routes.add(f"{PROJECTS.href}/{{slug}}/delete", one, suffix="delete", POST=PAGE)
    routes.add(TOKENS.href, all_tokens, GET=PAGE, POST=PAGE)
    routes.add(f"{TOKENS.href}/{{token_id}}/revoke", all_tokens, suffix="revoke", POST=PAGE)
    routes.add("/projects/{slug}/setup", setup, GET=PAGE)
    routes.add("/projects/{slug}/setup/status", setup, suffix="status", GET=SESSION)
    routes.add("/projects/{slug}/test-event", setup, suffix="test", POST=PAGE)


class Projects:
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
        show_setup(self._deps, req, resp, project.slug, key=key)

    def _show(self, req: falcon.Request, resp: falcon.Response, form: Mapping[str, str], problem: str) -> None:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            rows = list_projects(db)
            page = project_pages.projects_page(
                settings_shell(db, principal),
                rows,
                _people(db),
                pages.open_counts(db, [row.id for row in rows]),
                is_admin=principal.is_admin,
                notice=req.get_param("done") or "",
                problem=problem,
                form=form,
                now_ms=self._deps.now_ms(),
            )
        send_page(self._deps, req, resp, page)


class Project:
    """/settings/projects/{slug}"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        self._show(req, resp, slug, "")

    def on_post(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        form = self._form(req, slug)
        try:
            projects.rename(self._deps, principal_of(req), slug, form.get("name", ""))
        except InvalidField as error:
            self._show_problem(req, resp, slug, error)
            return
        _back_to(resp, project_pages.project_href(slug), "renamed")

    def on_post_rotate(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        made = self._form(req, slug).get("made", "")
        made_at_ms = int(made) if made.isascii() and made.isdigit() and len(made) <= MS_DIGITS_MAX else -1
        try:
            _, key = projects.rotate(self._deps, principal_of(req), slug, made_at_ms)
        except Conflict as error:
            self._show_problem(req, resp, slug, error)
            return
        show_setup(self._deps, req, resp, slug, key=key)

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
        _back_to(resp, PROJECTS.href, "deleted")

    def _form(self, req: falcon.Request, slug: str) -> dict[str, str]:
        """The form of somebody who may do this; whoever may not is told so, whatever they sent."""
        with self._deps.database.reader() as db:
            projects.managed(db, principal_of(req), slug)
        return read_form(req)

    def _show_problem(self, req: falcon.Request, resp: falcon.Response, slug: str, error: BloopError) -> None:
        resp.status = errors.status_of(error)
        self._show(req, resp, slug, str(error))

    def _show(self, req: falcon.Request, resp: falcon.Response, slug: str, problem: str) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        with self._deps.database.reader() as db:
            project = projects.known(db, slug)
            page = project_pages.project_page(
                settings_shell(db, principal),
                project,
                project_contents(db, project.id, now_ms),
                _people(db),
                may_manage=may_manage(principal, project.created_by),
                is_admin=principal.is_admin,
                notice=req.get_param("done") or "",
                problem=problem,
                now_ms=now_ms,
            )
        send_page(self._deps, req, resp, page)


class Tokens:
    """/settings/tokens, those of one project with `?project=`."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._show(req, resp, {}, "", None)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req)
        try:
            made, project = tokens.create(
                self._deps,
                principal_of(req),
                reference=form.get("project", ""),
                name=form.get("name", ""),
                scope_names=[name for name in project_pages.SCOPES if name in form],
                expires_in_days=_days(form.get("expires_in_days", "")),
            )
        except InvalidField as error:
            resp.status = errors.status_of(error)
            self._show(req, resp, form, str(error), None)
            return
        origin = self._deps.settings.auth.rp_origin
        self._show(req, resp, {}, "", project_pages.fresh_token(made, project.name, origin))

    def on_post_revoke(self, req: falcon.Request, resp: falcon.Response, token_id: str) -> None:
        tokens.revoke(self._deps, principal_of(req), token_id)
        _back_to(resp, TOKENS.href, "revoked")

    def _show(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        form: Mapping[str, str],
        problem: str,
        fresh: FreshToken | None,
    ) -> None:
        principal, chosen = principal_of(req), req.get_param("project") or ""
        with self._deps.database.reader() as db:
            rows = list_projects(db)
            managed = {row.id: row for row in rows if may_manage(principal, row.created_by)}
            only = projects.known(db, chosen).id if chosen else None
            page = project_pages.tokens_page(
                settings_shell(db, principal),
                _visible_tokens(db, principal, rows, only),
                list(managed.values()),
                {row.id: row.name for row in rows},
                _people(db),
                chosen=chosen,
                is_admin=principal.is_admin,
                fresh=fresh,
                notice=req.get_param("done") or "",
                problem=problem,
                form=form,
                now_ms=self._deps.now_ms(),
            )
        if fresh is None:
            send_page(self._deps, req, resp, page)
        else:
            send_secret_page(self._deps, resp, page)


class Setup:
    """/projects/{slug}/setup"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        show_setup(self._deps, req, resp, slug, problem=req.get_param("problem") or "")

    def on_get_status(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        with self._deps.database.reader() as db:
            answer_json(resp, {"href": _newest_issue(db, projects.known(db, slug))})

    def on_post_test(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        by_script = "text/html" not in (req.get_header("Accept") or "")
        with self._deps.database.reader() as db:
            key = signing_key(db, projects.known(db, slug).id)
        try:
            status = "accepted" if self._send(key) else "dropped"
        except BloopError as error:
            if by_script:
                raise
            status = "unavailable" if isinstance(error, (RingError, StorageError)) else "refused"
        if by_script:
            answer_json(resp, {"status": status})
            return
        problem = {"accepted": "", "dropped": "full"}.get(status, status)
        query = f"?problem={problem}" if problem else ""
        resp.status, resp.location = falcon.HTTP_303, project_pages.setup_href(slug) + query

    def _send(self, key: str) -> bool:
        if self._deps.send_signed is None:
            raise RingError("events cannot be received here")
        return self._deps.send_signed(key, orjson.dumps(TEST_EVENT | {"timestamp": self._deps.now_ms()}))


def show_setup(
    deps: Deps, req: falcon.Request, resp: falcon.Response, slug: str, *, key: str = "", problem: str = ""
) -> None:
    """The set-up page; with `key` it is the answer to the request that made it (J2)."""
    principal = principal_of(req)
    with deps.database.reader() as db:
        project = projects.known(db, slug)
        page = onboarding.setup_page(
            _project_shell(db, principal, project),
            project,
            key=key,
            key_made_at_ms=projects.key_age_ms(project),
            may_manage=may_manage(principal, project.created_by),
            origin=deps.settings.auth.rp_origin,
            arrived_href=_newest_issue(db, project),
            problem=problem,
        )
    if key:
        send_secret_page(deps, resp, page)
    else:
        send_page(deps, req, resp, page)


def _days(text: str) -> int | None:
    """Raises: InvalidField."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise InvalidField("expires_in_days", "expires_in_days must be a whole number")
    return int(text)


def _visible_tokens(
    db: apsw.Connection, principal: Principal, rows: list[ProjectRow], only: int | None
) -> list[tuple[TokenRow, bool]]:
    """Tokens of the projects one manages, and those one made, each with whether one may revoke it."""
    makers = {row.id: row.created_by for row in rows}
    return [
        (token, may_revoke(principal, token.created_by, makers.get(token.project_id)))
        for token in list_tokens(db, only)
        if may_revoke(principal, token.created_by, makers.get(token.project_id))
    ]


def _newest_issue(db: apsw.Connection, project: ProjectRow) -> str:
    """Where the newest issue is; `""` while nothing has arrived."""
    rows = issues.list_issues(db, [project.id], issues.IssueFilter(tab=issues.Tab.ALL), limit=1).rows
    return build.issue_href(rows[0].short_id) if rows else ""


def _project_shell(db: apsw.Connection, principal: Principal, project: ProjectRow) -> Shell:
    seen = list_projects(db, principal.project_ids)
    counts = pages.open_counts(db, [row.id for row in seen])
    return build.shell(principal.name, seen, counts, IssueView(), project.slug)


def _people(db: apsw.Connection) -> dict[str, str]:
    return {user.id: user.display_name for user in list_users(db)}


def _back_to(resp: falcon.Response, href: str, done: str) -> None:
    resp.status, resp.location = falcon.HTTP_303, f"{href}?done={quote(done)}"
