"""POST /v1/errors/bulk: many issues by id, or all that a list holds.

    {"ids": ["SHOP-12", …], "status": "resolved"}          ids are short ids or fingerprints
    {"all_matching": {"tab": "open", "t": "7d"}, "assignee": "ada"}
    {"action": "delete", "ids": […]}   {"action": "delete", "query": "is:ignored"}

Beside the status the body may say how, as for a single one (issues/status/choices.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import falcon

from bloop.auth.principal import PrincipalKind
from bloop.base.errors import InvalidParameter, NotFound
from bloop.issues.deletion.actions import delete_matching, delete_named
from bloop.issues.deletion.model import Deleted
from bloop.issues.read import IssueFilter
from bloop.issues.search import terms
from bloop.issues.status.actor import API, Actors
from bloop.issues.status.bulk import UNKNOWN, change_matching, change_named
from bloop.issues.status.references import list_in_body, references_of
from bloop.issues.status.requests import ChangeRequest, change_in_body
from bloop.site.bodies import answer_json, read_json
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

DELETE = "delete"  # the action that is no change


class BulkApi:
    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, API)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        if "action" in body:
            self._act(req, resp, body)
            return
        if "query" in body:  # who sends one means more issues than those in `ids`
            raise InvalidParameter("query", "goes with the action delete only; all_matching changes what a list holds")
        if "all_matching" in body and "ids" in body:
            raise InvalidParameter("all_matching", "cannot be given beside ids")
        change = self._change_matching if "all_matching" in body else self._change_named
        change(req, resp, body)

    def _change_named(self, req: falcon.Request, resp: falcon.Response, body: Mapping[str, Any]) -> None:
        principal, actor, now_ms = principal_of(req), self._actors.of(req), self._deps.now_ms()
        references = references_of(body.get("ids"))
        request = change_in_body(body, now_ms)
        project = req.get_param("project_id")
        result = self._deps.database.change(
            lambda db: change_named(db, principal, references, request, project=project, actor=actor, now_ms=now_ms)
        )
        if not result.changed:
            raise NotFound("none of these ids names an issue")
        changed = {
            "updated": [
                {"id": row.short_id, "fingerprint": row.fingerprint, "project_id": row.project_public_id}
                for row in result.changed
            ],
            "failed": [{"id": reference, "error": why} for reference, why in result.failed.items()],
            "undo_id": result.undo_id,
        }
        answer_json(resp, _asked(request) | changed)

    def _change_matching(self, req: falcon.Request, resp: falcon.Response, body: Mapping[str, Any]) -> None:
        """200 with the number of issues; 503 when the database could not be written before the last of them."""
        view = list_in_body(body["all_matching"])
        request = change_in_body(body, self._deps.now_ms())
        result = change_matching(
            self._deps,
            principal_of(req),
            view,
            request,
            project=req.get_param("project_id"),
            actor=self._actors.of(req),
        )
        changed = {
            "updated_count": result.changed,
            "is_more": result.is_more,
            "undo_id": result.undo_id if result.changed else None,
        }
        if result.problem is not None:
            resp.status = falcon.HTTP_503
            changed["error"] = str(result.problem)
        answer_json(resp, _asked(request) | changed)

    def _act(self, req: falcon.Request, resp: falcon.Response, body: Mapping[str, Any]) -> None:
        """`{"action": "delete"}` beside `ids` or `query`: what a search takes, "" for every issue of the project."""
        if body["action"] != DELETE:
            raise InvalidParameter("action", f"must be {DELETE}")
        for name in ("status", "assignee", "all_matching"):
            if name in body:
                raise InvalidParameter(name, "must not be given beside an action")
        if ("ids" in body) == ("query" in body):
            raise InvalidParameter("query", "must be given, or ids, but not both")
        if "ids" in body:
            self._delete_named(req, resp, references_of(body["ids"]))
        else:
            self._delete_matching(req, resp, body["query"])

    def _delete_named(self, req: falcon.Request, resp: falcon.Response, references: list[str]) -> None:
        project, actor = req.get_param("project_id"), self._actors.of(req)
        result = delete_named(self._deps, principal_of(req), references, project=project, actor=actor)
        if not result.deleted.issues:
            raise NotFound("none of these ids names an issue")
        failed = [{"id": reference, "error": UNKNOWN} for reference in result.unknown]
        answer_deleted(resp, result.deleted, is_waiting=result.is_waiting, failed=failed)

    def _delete_matching(self, req: falcon.Request, resp: falcon.Response, text: object) -> None:
        principal, project = principal_of(req), req.get_param("project_id")
        if not isinstance(text, str):  # null is a mistake in a script, and "" deletes everything
            raise InvalidParameter("query", "must be text")
        if principal.kind is not PrincipalKind.TOKEN and not project:
            raise InvalidParameter("project_id", "must name a project: a search deletes in one at a time")
        issue_filter = IssueFilter(query=terms.parse(text), now_ms=self._deps.now_ms())
        actor = self._actors.of(req)
        result = delete_matching(self._deps, principal, issue_filter, text, project=project, actor=actor)
        answer_deleted(resp, result.deleted, is_waiting=result.is_waiting)


def answer_deleted(resp: falcon.Response, deleted: Deleted, *, is_waiting: bool, **more: Any) -> None:
    """200 when the issues are gone, 202 when background work removes them."""
    resp.status = falcon.HTTP_202 if is_waiting else falcon.HTTP_200
    answer_json(resp, {"deleted": deleted.issues, "events": deleted.events, **more})


def _asked(request: ChangeRequest) -> dict[str, Any]:
    """What was asked for, as the answer repeats it."""
    return {"assignee": request.assignee} if request.choice is None else {"status": request.choice.status.value}
