"""Forms of the issue page that change it. Each answers 303 back to the page (LIST-2)."""

from __future__ import annotations

from collections.abc import Callable

import falcon

from bloop.base.errors import InvalidParameter
from bloop.db.engine import Db
from bloop.issues.detail.api import named_person
from bloop.issues.read import IssueRow, find_issue
from bloop.issues.status.actor import DASHBOARD, Actors
from bloop.issues.status.assign import assign
from bloop.issues.status.choices import choice_in_form
from bloop.issues.status.store import change_status
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.links import issue_href
from bloop.site.principal import principal_of


class IssueForms:
    """POST /issues/{ref}/status and /issues/{ref}/assign."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, DASHBOARD)

    def on_post_status(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        """`status`, perhaps with how (`muted.1d`), and the fields of issues/status/choices.py."""
        form, actor, now_ms = read_form(req), self._actors.of(req), self._deps.now_ms()
        choice = choice_in_form(form, now_ms)
        self._change(
            req,
            resp,
            ref,
            lambda db, issue: change_status(db, [issue.id], **choice._asdict(), actor=actor, now_ms=now_ms),
        )

    def on_post_assign(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        """`assignee`, a username, or `nobody`."""
        form = read_form(req)
        username = form.get("assignee", "")
        if not username and "nobody" not in form:
            raise InvalidParameter("assignee", "must be somebody's username")
        actor, now_ms = self._actors.of(req), self._deps.now_ms()

        def change(db: Db, issue: IssueRow) -> int:
            return assign(db, [issue.id], named_person(db, username) if username else None, actor=actor, now_ms=now_ms)

        self._change(req, resp, ref, change)

    def _change(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        ref: str,
        change: Callable[[Db, IssueRow], int],
    ) -> None:
        principal = principal_of(req)

        def run(db: Db) -> str:
            issue = find_issue(db, principal, ref)
            change(db, issue)
            return issue_href(issue.short_id)

        resp.status, resp.location = falcon.HTTP_303, self._deps.database.change(run)
