"""Forms of the issue page that change it. Each answers 303 back to the page (LIST-2), which says what was done.

`list`, the query of the list that the issue was opened from, is kept: then the page offers the next issue of that list.
The address of the form may hold the scope of the page, which is kept too.
"""

from __future__ import annotations

from collections.abc import Mapping

import falcon

from bloop.base.errors import InvalidParameter
from bloop.db.engine import Db
from bloop.issues.detail.address import LIST, IssueAddress
from bloop.issues.listing.position import next_in_list
from bloop.issues.read import IssueRow, find_issue
from bloop.issues.status.actor import DASHBOARD, Actors
from bloop.issues.status.changes import change_issues
from bloop.issues.status.choices import choice_in_form
from bloop.issues.status.flash import Flash, leave_flash
from bloop.issues.status.references import view_of
from bloop.issues.status.requests import ChangeRequest
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.params import text_params
from bloop.site.principal import principal_of


class IssueForms:
    """POST /issues/{ref}/status and /issues/{ref}/assign."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, DASHBOARD)

    def on_post_status(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        """`status`, perhaps with how (`muted.1d`), and the fields of issues/status/choices.py."""
        form = read_form(req)
        self._change(req, resp, ref, form, ChangeRequest(choice_in_form(form, self._deps.now_ms())))

    def on_post_assign(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        """`assignee`, a username, or `nobody`."""
        form = read_form(req)
        username = form.get("assignee", "")
        if not username and "nobody" not in form:
            raise InvalidParameter("assignee", "must be a username")
        self._change(req, resp, ref, form, ChangeRequest(assignee=username or None))

    def _change(
        self, req: falcon.Request, resp: falcon.Response, ref: str, form: Mapping[str, str], request: ChangeRequest
    ) -> None:
        principal, actor, now_ms = principal_of(req), self._actors.of(req), self._deps.now_ms()
        list_query = form.get("list", "")
        next_id = self._next_id(req, ref, list_query) if list_query else ""

        def run(db: Db) -> tuple[IssueRow, str]:
            issue = find_issue(db, principal, ref)
            changed = change_issues(db, [issue.id], request.look_up(db), actor=actor, now_ms=now_ms)
            return issue, changed.undo_id

        issue, undo_id = self._deps.database.change(run)
        leave_flash(resp, Flash(request.verb, 1, 0, undo_id, issue.short_id, next_id))
        params = text_params(req) | {LIST: list_query}
        resp.status = falcon.HTTP_303
        resp.location = IssueAddress.from_params(issue.short_id, issue.project_slug, params).page

    def _next_id(self, req: falcon.Request, ref: str, list_query: str) -> str:
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            issue = find_issue(db, principal, ref)
            return next_in_list(db, principal, view_of(list_query), issue.id, self._deps.now_ms())
