"""The pages that ask before issues are deleted, and do it: /issues/delete and /issues/{ref}/delete.

ASK-1  A GET, and a POST without `confirm`, only shows what would go and how many. A POST with `confirm` deletes and
    answers 303 to the list, which says how many went.
"""

from __future__ import annotations

from collections.abc import Iterator

import falcon

from bloop.base.errors import InvalidParameter
from bloop.issues.contexts import DeletePage
from bloop.issues.deletion.actions import delete_matching, delete_named
from bloop.issues.deletion.model import COUNTED_MAX
from bloop.issues.deletion.read import count_events, matching_ids
from bloop.issues.listing.page_read import filter_of
from bloop.issues.listing.state import IssueView
from bloop.issues.listing.words import time_range
from bloop.issues.read import find_issue
from bloop.issues.status.actor import DASHBOARD, Actors
from bloop.issues.status.flash import DELETED, DELETING, Flash, leave_flash
from bloop.issues.status.references import form_of, last_value, ticked_in, view_of
from bloop.projects.read import visible_projects
from bloop.site.bodies import read_form
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.params import text_params
from bloop.site.principal import principal_of


class DeleteForms:
    def __init__(self, deps: Deps) -> None:
        self._deps, self._actors = deps, Actors(deps, DASHBOARD)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Ask about all issues of the list that the query describes."""
        self._ask(req, resp, IssueView.from_params(text_params(req)), [])

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """The ticked rows, `issue` once per row or `all` with those in `shown`; or, with `matching`, the whole list."""
        form = form_of(req)
        view = view_of(last_value(form, "back"))
        references = [] if "matching" in form else ticked_in(form)
        if not references and "matching" not in form:
            raise InvalidParameter("issue", "must be ticked at least once")
        if "confirm" not in form:
            self._ask(req, resp, view, references)
            return
        principal, actor, now_ms = principal_of(req), self._actors.of(req), self._deps.now_ms()
        if references:
            named = delete_named(self._deps, principal, references, project=None, actor=actor)
            _leave_flash(resp, named.deleted.issues, is_waiting=named.is_waiting)
        else:
            with self._deps.database.reader() as db:
                project_ids = visible_projects(db, principal, view.project)
                issue_filter = filter_of(db, project_ids, view, principal.user_id, now_ms)
            result = delete_matching(
                self._deps,
                principal,
                issue_filter,
                view.query_string or "tab=open",
                project=view.project or None,
                actor=actor,
            )
            _leave_flash(resp, result.deleted.issues, is_waiting=result.is_waiting)
        resp.status, resp.location = falcon.HTTP_303, view.without_filters().href

    def on_post_issue(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        """Delete one issue; its page has asked."""
        read_form(req)
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            issue = find_issue(db, principal, ref)
        deletion = delete_named(
            self._deps, principal, [issue.short_id], project=issue.project_slug, actor=self._actors.of(req)
        )
        leave_flash(resp, Flash(DELETED, deletion.deleted.issues, short_id=issue.short_id))
        resp.status, resp.location = falcon.HTTP_303, IssueView(project=issue.project_slug).href

    def _ask(self, req: falcon.Request, resp: falcon.Response, view: IssueView, references: list[str]) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        with self._deps.database.reader() as db:
            shell = self._deps.shell(db, principal, view.project, lambda slug: view.in_project(slug).href)
            count, events = len(references), None
            if not references:
                project_ids = visible_projects(db, principal, view.project)
                issue_filter = filter_of(db, project_ids, view, principal.user_id, now_ms)
                ids = matching_ids(db, project_ids, issue_filter, rows_max=COUNTED_MAX + 1)
                count = len(ids)
                events = count_events(db, ids) if count <= COUNTED_MAX else None
        page = DeletePage(
            shell=shell,
            references=tuple(references),
            count=min(count, COUNTED_MAX),
            is_more=count > COUNTED_MAX,
            events=events,
            filters=tuple(_filters(view)),
            tab=view.shown_tab.value if view.shown_tab else "",
            query=view.query_string,
            back_href=view.href,
        )
        send_page(self._deps, req, resp, page)


def _filters(view: IssueView) -> Iterator[tuple[str, str]]:
    """What narrows the list besides its tab."""
    yield from view.filters.items()
    yield from ((name, value) for name, value in (("environment", view.env), ("release", view.release)) if value)
    yield "events in", time_range(view)


def _leave_flash(resp: falcon.Response, count: int, *, is_waiting: bool) -> None:
    leave_flash(resp, Flash(DELETING if is_waiting else DELETED, count))
