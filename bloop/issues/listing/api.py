"""GET /v1/errors and GET /v1/releases/{release}/errors: one element per (project, issue, release, environment)."""

from __future__ import annotations

import falcon
import orjson

from bloop.base.clock import minute_of
from bloop.base.errors import InvalidParameter
from bloop.issues.aggregates import AggregateFilter, AggregateSort, list_aggregates
from bloop.issues.detail import show
from bloop.issues.search import terms
from bloop.issues.status.model import Status
from bloop.projects.read import visible_projects
from bloop.site import params
from bloop.site.deps import Deps
from bloop.site.paging import Pager
from bloop.site.principal import principal_of

_STATUS_ALIASES = {"active": Status.UNRESOLVED}


class Errors:
    def __init__(self, deps: Deps, pager: Pager) -> None:
        self._deps, self._pager = deps, pager

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        query = terms.parse(params.text(req, "query") or "")
        aggregate_filter = AggregateFilter(
            status=_status(req),
            release=params.text(req, "release"),
            environment=params.text(req, "environment"),
            source=params.text(req, "source"),
            route=params.text(req, "route"),
            since_ms=params.instant_ms(req, "since"),
            until_ms=params.instant_ms(req, "until"),
            query=query,
            # To the minute: pages of one list remember each other by what was asked.
            now_ms=minute_of(self._deps.now_ms()) if query.says_times else 0,
        )
        self._list(req, resp, aggregate_filter, params.choice(req, "sort", AggregateSort.LAST_SEEN))

    def on_get_release(self, req: falcon.Request, resp: falcon.Response, release: str) -> None:
        self._list(req, resp, AggregateFilter(release=release), AggregateSort.TOTAL_COUNT)

    def _list(
        self, req: falcon.Request, resp: falcon.Response, aggregate_filter: AggregateFilter, sort: AggregateSort
    ) -> None:
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal_of(req), req.get_param("project_id"))
            what = (f"aggregates {sort}", project_ids, aggregate_filter)
            start = self._pager.start(req, what)
            page = list_aggregates(
                db, project_ids, aggregate_filter, sort=sort, limit=start.limit, before=start.before, skip=start.skip
            )
        self._pager.finish(req, resp, what, start, page.next)
        if not page.is_complete:
            resp.set_header("Search-Complete", "false")
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps([show.aggregate(row) for row in page.rows])


def _status(req: falcon.Request) -> str | None:
    value = params.text(req, "status")
    value = _STATUS_ALIASES.get(value or "", value)
    if value is not None and value not in set(Status):
        raise InvalidParameter("status", f"must be one of {', '.join((*Status, *_STATUS_ALIASES))}")
    return value
