"""Many issues at once: the ticked rows of the list, and POST /v1/errors/bulk.

BULK-1  Every reference is looked up among the projects its sender may see, like a single one; each issue that is
    changed gets its own audit line and signal.
BULK-2  At most REFERENCES_MAX references. What can be changed is, in one transaction; what cannot is named with its
    reason. In the list, rows that failed stay ticked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl

import falcon

from bloop.auth.principal import Principal, PrincipalKind
from bloop.base.errors import BodyTooLarge, Declined, InvalidParameter, NotFound, StorageError
from bloop.db.engine import Db
from bloop.issues.deletion.actions import delete_matching, delete_named
from bloop.issues.deletion.model import Deleted
from bloop.issues.listing.notice import count_sentence, leave_notice
from bloop.issues.listing.pages import ListMessages
from bloop.issues.listing.state import IssueView
from bloop.issues.listing.views import show_list
from bloop.issues.read import IssueFilter, IssueRow, find_issues
from bloop.issues.search import terms
from bloop.issues.status.actor import API, DASHBOARD, Actors
from bloop.issues.status.audit import Actor
from bloop.issues.status.choices import StatusChoice, choice_in_form, choice_of, status_of
from bloop.issues.status.model import Status
from bloop.issues.status.store import change_status
from bloop.projects.read import visible_projects
from bloop.site.bodies import answer_json, read_json, text_in
from bloop.site.contexts import Notice
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

REFERENCES_MAX = 200
REFERENCE_CHARS_MAX = 256
FORM_BYTES_MAX = 65_536
UNKNOWN = "no issue has this id"
DELETE = "delete"  # the action of POST /v1/errors/bulk that is no status


class BulkResult(NamedTuple):
    """The changed issues, and the reason for every reference that failed."""

    changed: list[IssueRow]
    failed: dict[str, str]


def change_many(
    db: Db,
    principal: Principal,
    references: Sequence[str],
    choice: StatusChoice,
    *,
    project: str | None,
    actor: Actor,
    now_ms: int,
) -> BulkResult:
    """Do what was chosen to every issue that the references name (BULK-1), in the caller's transaction.

    Raises:
        NotFound: there is no such project.
    """
    project_ids = visible_projects(db, principal, project)
    changed: dict[int, IssueRow] = {}
    failed = {}
    for reference in dict.fromkeys(references):
        named = find_issues(db, project_ids, reference)
        changed |= {issue.id: issue for issue in named}
        if not named:
            failed[reference] = UNKNOWN
    change_status(db, list(changed), **choice._asdict(), actor=actor, now_ms=now_ms)
    return BulkResult(list(changed.values()), failed)


class BulkApi:
    """POST /v1/errors/bulk: `{"ids": ["SHOP-12", …], "status": "resolved"}`, ids being short ids or fingerprints.

    Beside the status the body may say how, as for a single one (issues/status/choices.py).
    """

    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, API)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_json(req)
        if "action" in body:
            self._act(req, resp, body)
            return
        if "query" in body:  # who sends one means more issues than those in `ids`
            raise InvalidParameter("query", "goes with the action delete only")
        principal, actor, now_ms = principal_of(req), self._actors.of(req), self._deps.now_ms()
        references = references_of(body.get("ids"))
        choice = choice_of(status_of(text_in(body, "status")), body, now_ms)
        project = req.get_param("project_id")
        result = self._deps.database.change(
            lambda db: change_many(db, principal, references, choice, project=project, actor=actor, now_ms=now_ms)
        )
        if not result.changed:
            raise NotFound("none of these ids names an issue")
        answer_json(
            resp,
            {
                "status": choice.status.value,
                "updated": [
                    {"id": row.short_id, "fingerprint": row.fingerprint, "project_id": row.project_public_id}
                    for row in result.changed
                ],
                "failed": [{"id": reference, "error": why} for reference, why in result.failed.items()],
            },
        )

    def _act(self, req: falcon.Request, resp: falcon.Response, body: Mapping[str, Any]) -> None:
        """`{"action": "delete"}` beside `ids` or `query`: what a search takes, "" for every issue of the project."""
        if body["action"] != DELETE:
            raise InvalidParameter("action", f"must be {DELETE}")
        if "status" in body:
            raise InvalidParameter("status", "must not be given beside an action")
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


class BulkForm:
    """POST /issues/bulk: the rows ticked in the list.

    `issue` once per row, or `all` with the ids of the page in `shown`; `status`, perhaps with how (`muted.1d`); and
    `back`, the query of the list.
    """

    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, DASHBOARD)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Redirect a user who reloads the address of the form."""
        raise falcon.HTTPSeeOther("/")

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = form_of(req)
        principal, actor, now_ms = principal_of(req), self._actors.of(req), self._deps.now_ms()
        choice, view = choice_in_form({"status": last_value(form, "status")}, now_ms), view_of(last_value(form, "back"))
        status = choice.status
        ticked = last_value(form, "shown").split() if "all" in form else form.get("issue", [])
        if not ticked:
            self._show_again(
                req, resp, view, ListMessages(notice=Notice("Tick the issues it is about first.", failed=True))
            )
            return
        ticked = references_of(ticked)
        try:
            result = self._deps.database.change(
                lambda db: change_many(db, principal, ticked, choice, project=None, actor=actor, now_ms=now_ms)
            )
        except InvalidParameter as error:  # fixed in the next release of a project that has none
            self._show_again(
                req, resp, view, _messages(BulkResult([], dict.fromkeys(ticked, error.reason)), status, error.reason)
            )
            return
        except StorageError as error:
            self._show_again(
                req, resp, view, _messages(BulkResult([], dict.fromkeys(ticked, str(error))), status, str(error))
            )
            resp.status = falcon.HTTP_503
            return
        if result.failed:
            self._show_again(req, resp, view, _messages(result, status, UNKNOWN))
            return
        leave_notice(resp, status, len(result.changed))
        resp.status, resp.location = falcon.HTTP_303, view.href

    def _show_again(self, req: falcon.Request, resp: falcon.Response, view: IssueView, messages: ListMessages) -> None:
        """Show the list with these messages, instead of a redirect: the ticked rows are only known here."""
        show_list(self._deps, req, resp, view, messages)
        resp.status = falcon.HTTP_409


def _messages(result: BulkResult, status: Status, why: str) -> ListMessages:
    parts = [count_sentence(status, len(result.changed))] if result.changed else []
    parts.append(
        f"{len(result.failed)} not: {why} ({', '.join(list(result.failed)[:5])}{', …' * (len(result.failed) > 5)})"
    )
    return ListMessages(
        notice=Notice(f"{'; '.join(parts)}.", failed=True), ticked=tuple(result.failed), failed=result.failed
    )


def references_of(given: object) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) and one for one in given):
        raise InvalidParameter("ids", "must be a list of ids")
    if len(given) > REFERENCES_MAX:
        raise InvalidParameter("ids", f"must be at most {REFERENCES_MAX} at once, not {len(given)}")
    if any(len(one) > REFERENCE_CHARS_MAX for one in given):
        raise InvalidParameter("ids", f"must each have at most {REFERENCE_CHARS_MAX} characters")
    return given


def view_of(query: str) -> IssueView:
    """The list that the form was on. One it cannot have been on is the list of everything."""
    try:
        return IssueView.from_params(dict(parse_qsl(query)))
    except InvalidParameter:
        return IssueView()


def last_value(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[-1]


def form_of(req: falcon.Request) -> dict[str, list[str]]:
    body = req.bounded_stream.read(FORM_BYTES_MAX + 1)
    if len(body) > FORM_BYTES_MAX:
        raise BodyTooLarge(FORM_BYTES_MAX)
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=REFERENCES_MAX + 8)
    except ValueError:
        raise Declined(f"the form cannot be read, or names more than {REFERENCES_MAX} issues") from None
