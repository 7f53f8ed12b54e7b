"""/v1/errors/{fingerprint}/comments. A short id such as SHOP-12 works wherever a fingerprint does."""

from __future__ import annotations

import falcon

from bloop.base.errors import InvalidParameter, NotFound
from bloop.db.engine import Db
from bloop.issues.comments import read as comments
from bloop.issues.comments.model import BODY_BYTES_MAX, FIELD, check_text
from bloop.issues.comments.read import CommentRow
from bloop.issues.comments.store import add_comment, check_own, delete_comment, edit_comment
from bloop.issues.detail import show
from bloop.issues.read import IssueRow, find_issues
from bloop.issues.status.actor import API, Actors
from bloop.projects.read import visible_projects
from bloop.site.bodies import answer_json, read_json
from bloop.site.deps import Deps
from bloop.site.principal import principal_of


class CommentsApi:
    """GET and POST of all comments of an error, PUT and DELETE of one's own."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, API)

    def on_get(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        with self._deps.database.reader() as db:
            rows = comments.list_comments(db, [issue.id for issue in _find(db, req, fingerprint)])
        answer_json(resp, [show.comment(row) for row in rows])

    def on_post(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        text = check_text(read_json(req, BODY_BYTES_MAX).get(FIELD))
        actor, now_ms = self._actors.of(req), self._deps.now_ms()

        def change(db: Db) -> CommentRow:
            return add_comment(db, _find_one(db, req, fingerprint).id, text, actor=actor, now_ms=now_ms)

        resp.status = falcon.HTTP_201
        answer_json(resp, show.comment(self._deps.database.change(change)))

    def on_put_one(self, req: falcon.Request, resp: falcon.Response, fingerprint: str, comment_id: int) -> None:
        body, author, now_ms = read_json(req, BODY_BYTES_MAX), principal_of(req).id, self._deps.now_ms()

        def change(db: Db) -> CommentRow:
            issue_id = _owner(db, req, fingerprint, comment_id)
            check_own(db, issue_id, comment_id, author)
            text = check_text(body.get(FIELD))
            return edit_comment(db, issue_id, comment_id, text, author=author, now_ms=now_ms)

        answer_json(resp, show.comment(self._deps.database.change(change)))

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, fingerprint: str, comment_id: int) -> None:
        author = principal_of(req).id

        def change(db: Db) -> None:
            delete_comment(db, _owner(db, req, fingerprint, comment_id), comment_id, author=author)

        self._deps.database.change(change)
        answer_json(resp, {"status": "ok"})


def _find(db: Db, req: falcon.Request, fingerprint: str) -> list[IssueRow]:
    found = find_issues(db, visible_projects(db, principal_of(req), req.get_param("project_id")), fingerprint)
    if not found:
        raise NotFound(f"no errors with fingerprint {fingerprint}")
    return found


def _find_one(db: Db, req: falcon.Request, fingerprint: str) -> IssueRow:
    found = _find(db, req, fingerprint)
    if len(found) > 1:
        raise InvalidParameter("project_id", f"is needed: {len(found)} projects have this fingerprint")
    return found[0]


def _owner(db: Db, req: falcon.Request, fingerprint: str, comment_id: int) -> int:
    """The issue that has the comment, among those that `fingerprint` names; the first of them when none has."""
    found = _find(db, req, fingerprint)
    has = (issue.id for issue in found if comments.get_comment(db, issue.id, comment_id))
    return next(has, found[0].id)
