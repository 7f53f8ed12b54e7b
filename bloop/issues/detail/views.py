"""The pages of one issue: one of its events, all of them, tags, activity. Each is one snapshot (LIST-1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

import falcon

from bloop.auth.principal import Principal
from bloop.base.errors import InvalidParameter, NotFound
from bloop.db.engine import Db
from bloop.issues.detail import event_table, pages
from bloop.issues.detail.activity import ENTRIES_MAX, activity_of_all, comments_to_read
from bloop.issues.detail.address import EVERY_LIST, LIST, IssueAddress
from bloop.issues.detail.event_table import PAGE_ROWS, EventTableRows
from bloop.issues.detail.read import FrameRows, read_activity, read_frame
from bloop.issues.events import read as events
from bloop.issues.events.read import EventRow
from bloop.issues.events.scoped import ScopedEvents, list_scoped
from bloop.issues.events.search import find_events
from bloop.issues.read import IssueRow, find_issue
from bloop.issues.search import terms
from bloop.issues.search.keys import Field
from bloop.issues.search.terms import Query, Term
from bloop.issues.seen.opened import OpenedIssues
from bloop.site import params
from bloop.site.contexts import Page, Shell
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.principal import principal_of
from bloop.site.scope import PageScope

ACTIVITY_PAGES_MAX = 1000


class IssueRequest(NamedTuple):
    """One request for a page of an issue, with what all of these pages have read."""

    db: Db
    principal: Principal
    issue: IssueRow
    address: IssueAddress
    shell: Shell
    frame: FrameRows
    now_ms: int

    @property
    def me(self) -> str:
        """The author and assignee that the visitor is."""
        return self.principal.id


class IssueResource:
    """GET /issues/{ref} shows the newest event in scope, GET /issues/{ref}/events/{event_id} a particular one."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._opened = deps, OpenedIssues(deps)

    def on_get(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        self._send(req, resp, ref, lambda at: self._event_page(at, self._newest(at)))

    def on_get_event(self, req: falcon.Request, resp: falcon.Response, ref: str, event_id: int) -> None:
        def page(at: IssueRequest) -> Page:
            event = events.get_event(at.db, at.issue.id, event_id)
            if event is None:
                raise NotFound("this event has expired, or never belonged to this issue")
            return self._event_page(at, event)

        self._send(req, resp, ref, page)

    def on_get_events(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        given = params.text_params(req)
        q, before = given.get("q", "").strip(), given.get(event_table.BEFORE, "")

        def page(at: IssueRequest) -> Page:
            try:
                table = _search(at, q, before) if q else _all_events(at, before)
            except InvalidParameter as error:
                if error.name != "q":
                    raise
                resp.status = falcon.HTTP_400
                table = EventTableRows([], "", problem=error.reason)
            return event_table.events_page(at.shell, at.frame, table, q, at.address, at.me, at.now_ms)

        self._send(req, resp, ref, page)

    def on_get_tags(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        self._send(
            req,
            resp,
            ref,
            lambda at: pages.tags_page(at.shell, at.frame, _newest_rows(at), at.address, at.me, at.now_ms),
        )

    def on_get_activity(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        number = params.integer(req, "page", 0, low=0, high=ACTIVITY_PAGES_MAX)

        def page(at: IssueRequest) -> Page:
            rows = read_activity(at.db, at.frame, comments_to_read(number))
            return activity_of_all(at.shell, at.frame, rows, at.address, at.me, number, at.now_ms)

        self._send(req, resp, ref, page)

    def _send(
        self, req: falcon.Request, resp: falcon.Response, ref: str, page_of: Callable[[IssueRequest], Page]
    ) -> None:
        principal, now_ms, given = principal_of(req), self._deps.now_ms(), params.text_params(req)
        with self._deps.database.reader() as db:
            issue = find_issue(db, principal, ref)
            if given.get("project", issue.project_slug) not in (issue.project_slug, ""):  # the form of the scope bar
                raise falcon.HTTPSeeOther(PageScope.from_params(given).href("/"))
            address = IssueAddress.from_params(issue.short_id, issue.project_slug, _list_before(req) | given)
            shell = self._deps.scoped_shell(db, req, address.scope)
            frame = read_frame(db, issue, address.scope, now_ms)
            is_unseen = self._opened.is_unseen(db, principal, issue.id)
            page = page_of(IssueRequest(db, principal, issue, address, shell, frame, now_ms))
        if is_unseen:
            self._opened.note(principal, issue.id)
        send_page(self._deps, req, resp, page)

    def _event_page(self, at: IssueRequest, event: EventRow | None) -> Page:
        rows = pages.EventRows(event, _newest_rows(at), read_activity(at.db, at.frame, ENTRIES_MAX))
        return pages.event_page(at.shell, at.frame, rows, at.address, at.me, at.now_ms)

    def _newest(self, at: IssueRequest) -> EventRow | None:
        """The newest event in scope, else the newest that there is."""
        newest_id = at.frame.events.newest_id
        if newest_id is not None:
            return events.get_event(at.db, at.issue.id, newest_id)
        return next(iter(events.list_events(at.db, [at.issue.id], limit=1).rows), None)


def _list_before(req: falcon.Request) -> dict[str, str]:
    """The parameter for the list that the visitor comes from, if it was one."""
    before = urlsplit(req.referer or "")
    is_list = before.path == "/" and before.netloc.lower() == (req.get_header("Host") or "").lower()
    return {LIST: before.query or EVERY_LIST} if is_list else {}


def _newest_rows(at: IssueRequest) -> list[EventRow]:
    """The newest events in scope, for tags."""
    return list_scoped(at.db, at.frame.events, limit=pages.TAG_EVENTS_MAX).rows


def _all_events(at: IssueRequest, before: str) -> EventTableRows:
    scoped: ScopedEvents = at.frame.events
    page = list_scoped(at.db, scoped, limit=PAGE_ROWS, before=event_table.key_of(before))
    words = event_table.count_words(page.start, len(page.rows), scoped.total, is_complete=scoped.is_complete)
    previous = None if page.start == 0 else event_table.place(page.previous) if page.previous else ""
    return EventTableRows(page.rows, words, event_table.place(page.next) if page.next else "", previous)


def _search(at: IssueRequest, q: str, before: str) -> EventTableRows:
    """A page of the events in scope that fulfil a search. Raises: InvalidParameter: it cannot be understood."""
    query = _within(terms.parse(q, "q"), at.address.scope)
    found = find_events(
        at.db,
        [at.issue.project_id],
        query,
        now_ms=at.now_ms,
        window=at.frame.window,
        issue_ids=[at.issue.id],
        limit=PAGE_ROWS,
        before=event_table.id_of(before),
    )
    words = event_table.search_words(
        len(found.rows), found.scanned, has_more=found.next is not None, is_complete=found.is_complete
    )
    return EventTableRows(found.rows, words, str(found.next) if found.next else "", "" if before else None)


def _within(query: Query, scope: PageScope) -> Query:
    """The search, in the environment and release of the scope."""
    names = ((Field.ENVIRONMENT, scope.environment), (Field.RELEASE, scope.release))
    added = tuple(Term(field, (value,), False, f"{field}:{terms.quoted(value)}") for field, value in names if value)
    return Query((*query.terms, *added))
