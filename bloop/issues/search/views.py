"""GET /search: single events that match a search, in the scope of the page."""

from __future__ import annotations

from collections.abc import Sequence

import falcon

from bloop.base.errors import InvalidParameter
from bloop.db.engine import Db
from bloop.issues import read as issues
from bloop.issues.events.search import find_events
from bloop.issues.listing.pages import is_reference
from bloop.issues.search import pages, terms
from bloop.issues.search.api import place_after
from bloop.issues.search.found import with_issues
from bloop.issues.search.pages import PAGE_EVENTS
from bloop.issues.search.terms import Query
from bloop.projects.read import visible_projects
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.links import issue_href
from bloop.site.params import text_params
from bloop.site.principal import principal_of
from bloop.site.scope import PageScope, Window

OUTSIDE_SCANNED_MAX = 5000  # a search that was answered by the index is repeated without its time range


class SearchResource:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        params, now_ms, principal = text_params(req), self._deps.now_ms(), principal_of(req)
        scope, after = PageScope.from_params(params), place_after(params.get("after"))
        q = params.get("q", "").strip()[: terms.TEXT_CHARS_MAX + 1]  # one too many is said, not cut
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal, scope.project)
            if is_reference(q) and (named := issues.get_issue(db, project_ids, q)):
                raise falcon.HTTPSeeOther(scope.href(issue_href(named.short_id)))
            shell = self._deps.scoped_shell(db, req, scope, lambda slug: scope.in_project(slug).href(pages.SEARCH_PATH))
            try:
                query = terms.parse(q, "q").in_scope(scope.environment or None, scope.release or None)
            except InvalidParameter as error:
                resp.status = falcon.HTTP_400
                send_page(self._deps, req, resp, pages.page(shell, scope, q, problem=error.reason))
                return
            window = scope.window(now_ms)
            matches = find_events(db, project_ids, query, now_ms=now_ms, window=window, limit=PAGE_EVENTS, before=after)
            found = with_issues(db, matches.rows)
            outside_ms = None
            if not found and after is None and q and matches.scanned <= OUTSIDE_SCANNED_MAX:
                outside_ms = _newest_outside(db, project_ids, query, window, now_ms)
        page = pages.page(shell, scope, q, found=found, matches=matches, after=after, outside_ms=outside_ms)
        send_page(self._deps, req, resp, page)


def _newest_outside(db: Db, project_ids: Sequence[int], query: Query, window: Window, now_ms: int) -> int | None:
    """When the newest match outside of the window was received: after it, else before."""
    after = window._replace(from_ms=window.to_ms, to_ms=now_ms + 1)
    before = window._replace(from_ms=0, to_ms=window.from_ms)
    for span in (after, before):
        if span.from_ms < span.to_ms:
            page = find_events(db, project_ids, query, now_ms=now_ms, window=span, limit=1)
            if page.rows:
                return page.rows[0].received_at_ms
    return None
