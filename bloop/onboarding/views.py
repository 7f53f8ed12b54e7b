"""/projects/{slug}/setup: client code, whether an event has arrived, the key, and a test event.

SETUP-1  A key is on the page only in the answer to a POST: the one that created it, or asked for one that nothing was
    ever signed with. Such an answer is never compressed or cached, and no link in it leads away from the key.
SETUP-2  The language is remembered in a cookie, which says nothing about anybody: `bloop_lang=python`.
"""

from __future__ import annotations

import falcon
import orjson

from bloop.accounts.people.read import list_users
from bloop.alerts.rules.read import list_rules
from bloop.auth.access import may_manage
from bloop.base.clock import MINUTE_MS
from bloop.base.errors import BloopError, Conflict, Forbidden, RingError, StorageError
from bloop.base.outcomes import NO_PROJECT
from bloop.db.engine import Db
from bloop.issues import read as issues
from bloop.issues.read import IssueRow
from bloop.ledger.read import list_rejections
from bloop.onboarding import pages as onboarding
from bloop.onboarding.languages import DEFAULT_LANGUAGE, known_language
from bloop.onboarding.pages import SetupRows
from bloop.pipeline import signal_log
from bloop.projects.read import ProjectRow, list_projects, project_ids, require_project, signing_key
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.html import send_page, send_secret_page
from bloop.site.links import issue_href, setup_href
from bloop.site.look import MAX_AGE_S
from bloop.site.principal import principal_of

LANGUAGE_COOKIE = "bloop_lang"
REJECTED_RECENTLY_MS = 10 * MINUTE_MS
TEST_EVENT = {
    "source": "api",
    "environment": "test",
    "release": "bloop",
    "error_type": "TestError",
    "message": "A test error, sent from the set-up page",
    "stack": "TestError: A test error, sent from the set-up page\n    at sendTestError (setup.js:1:1)",
}


class SetupView:
    """/projects/{slug}/setup"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        show_setup(self._deps, req, resp, slug, problem=req.get_param("problem") or "")

    def on_get_status(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        with self._deps.database.reader() as db:
            row = _newest_issue(db, require_project(db, slug))
        answer_json(resp, {"href": issue_href(row.short_id) if row else ""})

    def on_post_key(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        """Show the key to those who may replace it, while nothing was signed with it (SETUP-1)."""
        with self._deps.database.reader() as db:
            project = require_project(db, slug)
            if not may_manage(principal_of(req), project.created_by):
                raise Forbidden("only admins and the project's creator can see its key")
            if not onboarding.is_key_unused(_read_rows(db, project, self._deps.now_ms())):
                raise Conflict("The key was used already and is not shown again. Create a new one.")
            key = signing_key(db, project.id)
        show_setup(self._deps, req, resp, slug, key=key)

    def on_post_test(self, req: falcon.Request, resp: falcon.Response, slug: str) -> None:
        by_script = "text/html" not in (req.get_header("Accept") or "")
        with self._deps.database.reader() as db:
            key = signing_key(db, require_project(db, slug).id)
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
        resp.status, resp.location = falcon.HTTP_303, setup_href(slug) + query

    def _send(self, key: str) -> bool:
        if self._deps.send_signed is None:
            raise RingError("events cannot be received here")
        return self._deps.send_signed(key, orjson.dumps(TEST_EVENT | {"timestamp": self._deps.now_ms()}))


def show_key(deps: Deps, req: falcon.Request, resp: falcon.Response, slug: str, key: str) -> None:
    """Answer the request that created `key` with the set-up page."""
    show_setup(deps, req, resp, slug, key=key)


def first_page(deps: Deps, db: Db) -> str:
    """The set-up page of the first project while nothing has arrived at all, else the list of issues."""
    projects = list_projects(db)
    if not projects or issues.list_issues(db, project_ids(db), issues.IssueFilter(tab=issues.Tab.ALL), limit=1).rows:
        return "/"
    return setup_href(projects[0].slug)


def show_setup(
    deps: Deps, req: falcon.Request, resp: falcon.Response, slug: str, *, key: str = "", problem: str = ""
) -> None:
    """Send the set-up page; with `key`, in answer to a POST (SETUP-1)."""
    principal, now_ms = principal_of(req), deps.now_ms()
    chosen = known_language(req.get_param("lang") or "")
    with deps.database.reader() as db:
        project = require_project(db, slug)
        page = onboarding.setup_page(
            deps.shell(db, principal, project.slug),
            _read_rows(db, project, now_ms),
            key=key,
            may_manage=may_manage(principal, project.created_by),
            is_admin=principal.is_admin,
            origin=deps.settings.auth.rp_origin,
            language=chosen or known_language(req.cookies.get(LANGUAGE_COOKIE) or "") or DEFAULT_LANGUAGE,
            problem=problem,
            now_ms=now_ms,
        )
    if chosen:
        resp.append_header("Set-Cookie", f"{LANGUAGE_COOKIE}={chosen}; SameSite=Lax; Path=/; Max-Age={MAX_AGE_S}")
    if key:
        send_secret_page(deps, req, resp, page)
    else:
        send_page(deps, req, resp, page)


def _read_rows(db: Db, project: ProjectRow, now_ms: int) -> SetupRows:
    rules = [rule for rule in list_rules(db) if rule.project_slug in (None, project.slug)]
    return SetupRows(
        project=project,
        newest=_newest_issue(db, project),
        people_count=len(list_users(db)),
        rule_count=len(rules),
        rejected=_rejected(db, project, now_ms),
        signal_id=signal_log.last_id(db),
    )


def _rejected(db: Db, project: ProjectRow, now_ms: int) -> tuple[str, int] | None:
    """The newest refused request of a few minutes, of this project or of none: a mistyped key names no project."""
    rows = list_rejections(db, (project.id, NO_PROJECT), 1)
    if not rows or rows[0].rejected_at_ms < now_ms - REJECTED_RECENTLY_MS:
        return None
    return rows[0].detail, rows[0].rejected_at_ms


def _newest_issue(db: Db, project: ProjectRow) -> IssueRow | None:
    """None until an event has arrived."""
    rows = issues.list_issues(db, [project.id], issues.IssueFilter(tab=issues.Tab.ALL), limit=1).rows
    return rows[0] if rows else None
