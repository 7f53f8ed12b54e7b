"""Forms of the issue page that change comments. Each answers 303 back to the activity of the page (LIST-2)."""

from __future__ import annotations

from collections.abc import Callable

import falcon

from bloop.db.engine import Db
from bloop.issues.comments.model import BODY_BYTES_MAX, FIELD, check_text
from bloop.issues.comments.store import add_comment, check_own, delete_comment, edit_comment
from bloop.issues.read import IssueRow, find_issue
from bloop.issues.status.actor import DASHBOARD, Actors
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.links import issue_href
from bloop.site.params import text_params
from bloop.site.principal import principal_of
from bloop.site.scope import PageScope

ACTIVITY = "activity"  # the id of that part of the page


def comment_anchor(comment_id: int) -> str:
    """The id of a comment's element."""
    return f"comment-{comment_id}"


class CommentForms:
    """POST /issues/{ref}/comments, …/comments/{id} and …/comments/{id}/delete."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, DASHBOARD)

    def on_post(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        text = check_text(read_form(req, BODY_BYTES_MAX).get(FIELD, ""))
        actor, now_ms = self._actors.of(req), self._deps.now_ms()

        def change(db: Db, issue: IssueRow) -> str:
            return comment_anchor(add_comment(db, issue.id, text, actor=actor, now_ms=now_ms).id)

        self._change(req, resp, ref, change)

    def on_post_one(self, req: falcon.Request, resp: falcon.Response, ref: str, comment_id: int) -> None:
        form, author, now_ms = read_form(req, BODY_BYTES_MAX), principal_of(req).id, self._deps.now_ms()

        def change(db: Db, issue: IssueRow) -> str:
            check_own(db, issue.id, comment_id, author)
            text = check_text(form.get(FIELD, ""))
            return comment_anchor(edit_comment(db, issue.id, comment_id, text, author=author, now_ms=now_ms).id)

        self._change(req, resp, ref, change)

    def on_post_delete(self, req: falcon.Request, resp: falcon.Response, ref: str, comment_id: int) -> None:
        author = principal_of(req).id

        def change(db: Db, issue: IssueRow) -> str:
            delete_comment(db, issue.id, comment_id, author=author)
            return ACTIVITY

        self._change(req, resp, ref, change)

    def _change(
        self, req: falcon.Request, resp: falcon.Response, ref: str, change: Callable[[Db, IssueRow], str]
    ) -> None:
        """Run `change`, which returns the id of the element to go back to. The scope of the page stays."""
        principal, scope = principal_of(req), PageScope.from_params(text_params(req))

        def run(db: Db) -> str:
            issue = find_issue(db, principal, ref)
            return f"{scope.href(issue_href(issue.short_id))}#{change(db, issue)}"

        resp.status, resp.location = falcon.HTTP_303, self._deps.database.change(run)
