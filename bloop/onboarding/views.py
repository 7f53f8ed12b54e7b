"""/projects/{slug}/setup: client code, whether an event has arrived, and a test event.

The POST that creates a key answers with this page, which then shows the key; it is never compressed or cached.
"""

from __future__ import annotations

import falcon
import orjson

from bloop.auth.access import may_manage
from bloop.base.errors import BloopError, RingError, StorageError
from bloop.db.engine import Db
from bloop.issues import read as issues
from bloop.onboarding import pages as onboarding
from bloop.projects.read import ProjectRow, key_created_at_ms, require_project, signing_key
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.html import send_page, send_secret_page
from bloop.site.links import issue_href, setup_href
from bloop.site.principal import principal_of

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
            answer_json(resp, {"href": _newest_issue(db, require_project(db, slug))})

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
    """Answer the request that created `key` with the set-up page, the only one that shows it."""
    show_setup(deps, req, resp, slug, key=key)


def show_setup(
    deps: Deps, req: falcon.Request, resp: falcon.Response, slug: str, *, key: str = "", problem: str = ""
) -> None:
    """Send the set-up page; with `key`, in answer to the request that created it."""
    principal = principal_of(req)
    with deps.database.reader() as db:
        project = require_project(db, slug)
        page = onboarding.setup_page(
            deps.shell(db, principal, project.slug),
            project,
            key=key,
            key_made_at_ms=key_created_at_ms(project),
            may_manage=may_manage(principal, project.created_by),
            origin=deps.settings.auth.rp_origin,
            arrived_href=_newest_issue(db, project),
            problem=problem,
        )
    if key:
        send_secret_page(deps, req, resp, page)
    else:
        send_page(deps, req, resp, page)


def _newest_issue(db: Db, project: ProjectRow) -> str:
    """The path of the newest issue; `""` until an event has arrived."""
    rows = issues.list_issues(db, [project.id], issues.IssueFilter(tab=issues.Tab.ALL), limit=1).rows
    return issue_href(rows[0].short_id) if rows else ""
