"""GET /v1/events: events that fulfil a search, newest first."""

from __future__ import annotations

import falcon

from bloop.base.errors import InvalidParameter
from bloop.issues.events.read import ROW_ID_MAX
from bloop.issues.events.search import find_events
from bloop.issues.search import terms
from bloop.issues.search.found import public, with_issues
from bloop.projects.read import visible_projects
from bloop.site import params
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.principal import principal_of
from bloop.site.scope import Window


class EventsApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        query = terms.parse(req.get_param("q") or "", "q")
        query = query.in_scope(params.text(req, "environment"), params.text(req, "release"))
        limit, before, window = params.limit(req), place_after(req.get_param("after")), _window(req)
        with self._deps.database.reader() as db:
            page = find_events(
                db,
                visible_projects(db, principal_of(req), req.get_param("project_id")),
                query,
                now_ms=self._deps.now_ms(),
                window=window,
                limit=limit,
                before=before,
            )
            found = with_issues(db, page.rows)
        body = {
            "events": [public(row) for row in found],
            "next": None if page.next is None else str(page.next),
            "scanned": page.scanned,
            "complete": page.is_complete,
        }
        answer_json(resp, body)


def place_after(text: str | None) -> int | None:
    """The place that `after` names: one that an answer gave as `next`; None without it.

    Raises:
        InvalidParameter: it is none.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= ROW_ID_MAX):
        raise InvalidParameter("after", "is not a cursor of this list; start again without it")
    return int(text)


def _window(req: falcon.Request) -> Window | None:
    since_ms, until_ms = params.instant_ms(req, "since"), params.instant_ms(req, "until")
    if since_ms is None and until_ms is None:
        return None
    last_ms = ROW_ID_MAX - 1 if until_ms is None else until_ms
    return Window(since_ms or 0, last_ms + 1, 1, is_running=until_ms is None)
