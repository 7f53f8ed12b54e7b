"""POST /issues/bulk: the rows ticked in the list, or with `all_matching` every issue of it.

`issue` once per row, or `all` with the ids of the page in `shown`; what to do, as issues/status/requests.py reads it
(`status=muted.1d`, `assign=me`); and `back`, the query of the list. Rows that failed stay ticked.
"""

from __future__ import annotations

import falcon

from bloop.base.errors import InvalidParameter, StorageError
from bloop.issues.listing.pages import ListMessages
from bloop.issues.listing.state import IssueView
from bloop.issues.listing.views import show_list
from bloop.issues.status.actor import DASHBOARD, Actors
from bloop.issues.status.bulk import UNKNOWN, BulkResult, change_matching, change_named
from bloop.issues.status.flash import Flash, leave_flash
from bloop.issues.status.references import form_of, last_value, ticked_in, view_of
from bloop.issues.status.requests import ChangeRequest, change_in_form, my_name
from bloop.site.contexts import Notice
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

NAMED_MAX = 5  # references that failed, in one sentence


class BulkForm:
    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, DASHBOARD)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Redirect a user who reloads the address of the form."""
        raise falcon.HTTPSeeOther("/")

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = form_of(req)
        view = view_of(last_value(form, "back"))
        request = self._request(req, {name: last_value(form, name) for name in form})
        if "all_matching" in form:
            self._change_matching(req, resp, view, request)
            return
        ticked = ticked_in(form)
        if not ticked:
            self._refuse(req, resp, view, "Select issues first.")
            return
        self._change_ticked(req, resp, view, request, ticked)

    def _request(self, req: falcon.Request, form: dict[str, str]) -> ChangeRequest:
        if form.get("assign") == "me":
            with self._deps.database.reader() as db:
                form |= {"assign": "to", "assignee": my_name(db, principal_of(req))}
        return change_in_form(form, self._deps.now_ms())

    def _change_ticked(
        self, req: falcon.Request, resp: falcon.Response, view: IssueView, request: ChangeRequest, ticked: list[str]
    ) -> None:
        principal, actor, now_ms = principal_of(req), self._actors.of(req), self._deps.now_ms()
        try:
            result = self._deps.database.change(
                lambda db: change_named(db, principal, ticked, request, project=None, actor=actor, now_ms=now_ms)
            )
        except (InvalidParameter, StorageError) as error:  # fixed in the next release of a project that has none
            why = error.reason if isinstance(error, InvalidParameter) else str(error)
            failed = BulkResult([], dict.fromkeys(ticked, why))
            self._show_again(req, resp, view, _messages(failed, request.verb, why))
            if isinstance(error, StorageError):
                resp.status = falcon.HTTP_503
            return
        if result.failed:
            self._show_again(req, resp, view, _messages(result, request.verb, UNKNOWN))
            return
        short_id = result.changed[0].short_id if len(result.changed) == 1 else ""
        leave_flash(resp, Flash(request.verb, len(result.changed), 0, result.undo_id, short_id))
        resp.status, resp.location = falcon.HTTP_303, view.href

    def _change_matching(
        self, req: falcon.Request, resp: falcon.Response, view: IssueView, request: ChangeRequest
    ) -> None:
        try:
            result = change_matching(
                self._deps,
                principal_of(req),
                view,
                request,
                project=view.project or None,
                actor=self._actors.of(req),
            )
        except InvalidParameter as error:
            self._refuse(req, resp, view, f"Nothing was changed: {error.reason}.")
            return
        if result.problem is not None:
            done = Flash(request.verb, result.changed).text.rstrip(".")
            self._refuse(req, resp, view, f"{done}, then {result.problem}.")
            resp.status = falcon.HTTP_503
            return
        if not result.changed:
            self._refuse(req, resp, view, "Nothing was changed: no issue matches.")
            return
        leave_flash(resp, Flash(request.verb, result.changed, int(result.is_more), result.undo_id))
        resp.status, resp.location = falcon.HTTP_303, view.at(None).href

    def _refuse(self, req: falcon.Request, resp: falcon.Response, view: IssueView, text: str) -> None:
        self._show_again(req, resp, view, ListMessages(notice=Notice(text, failed=True)))

    def _show_again(self, req: falcon.Request, resp: falcon.Response, view: IssueView, messages: ListMessages) -> None:
        """Show the list with these messages, instead of a redirect: the ticked rows are only known here."""
        show_list(self._deps, req, resp, view, messages)
        resp.status = falcon.HTTP_409


def _messages(result: BulkResult, verb: str, why: str) -> ListMessages:
    parts = [Flash(verb, len(result.changed)).text.rstrip(".")] if result.changed else []
    named = ", ".join(list(result.failed)[:NAMED_MAX])
    parts.append(f"{len(result.failed)} not: {why} ({named}{', …' * (len(result.failed) > NAMED_MAX)})")
    return ListMessages(
        notice=Notice(f"{'; '.join(parts)}.", failed=True), ticked=tuple(result.failed), failed=result.failed
    )
