"""What pages ask while somebody types: completions of a search, and issues for the palette. JSON, for sessions.

GET /search/complete?q=…&at=…    and the scope of the page
GET /search/issues?q=…
"""

from __future__ import annotations

import falcon

from bloop.base.errors import InvalidParameter
from bloop.issues import read as issues
from bloop.issues.listing.pages import is_reference
from bloop.issues.read import IssueFilter
from bloop.issues.search import completion, completion_read, terms
from bloop.issues.search.terms import TEXT_CHARS_MAX
from bloop.projects.read import visible_projects
from bloop.site import params
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.links import issue_href
from bloop.site.params import text_params
from bloop.site.principal import principal_of
from bloop.site.scope import PageScope

ISSUES_MAX = 8
TITLE_CHARS_MAX = 160


class Completion:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        given, now_ms = text_params(req), self._deps.now_ms()
        text, scope = given.get("q", "")[:TEXT_CHARS_MAX], PageScope.from_params(given)
        place = completion.place_at(text, params.integer(req, "at", len(text), low=0, high=len(text)))
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal_of(req), scope.project)
            options = completion_read.options(db, project_ids, place, now_ms)
        answer_json(resp, {"start": place.start, "end": place.end, "options": [o._asdict() for o in options]})


class PaletteIssues:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        q = text_params(req).get("q", "").strip()[:TEXT_CHARS_MAX]
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal_of(req), None)
            named = issues.get_issue(db, project_ids, q) if is_reference(q) else None
            found = [named] if named else []
            if not found and q:
                issue_filter = _filter_of(q, self._deps.now_ms())
                found = issues.list_issues(db, project_ids, issue_filter, limit=ISSUES_MAX).rows if issue_filter else []
        answer_json(resp, {"issues": [_public(row) for row in found]})


def _filter_of(q: str, now_ms: int) -> IssueFilter | None:
    """The search that was typed so far; None while it cannot be read."""
    try:
        return IssueFilter(query=terms.parse(q, "q"), now_ms=now_ms)
    except InvalidParameter:
        return None


def _public(row: issues.IssueRow) -> dict[str, str]:
    title = f"{row.error_type}: {row.message}".split("\n", 1)[0]
    return {
        "short_id": row.short_id,
        "title": title[:TITLE_CHARS_MAX],
        "status": row.status,
        "project": row.project_name,
        "href": issue_href(row.short_id),
    }
