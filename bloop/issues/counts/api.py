"""GET /v1/stats."""

from __future__ import annotations

import falcon
import orjson

from bloop.issues.counts.read import stats
from bloop.projects.read import visible_projects
from bloop.site.deps import Deps
from bloop.site.principal import principal_of


class StatsApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal_of(req), req.get_param("project_id"))
            found = stats(db, project_ids, self._deps.now_ms())
        body = {
            "total_errors": found.issues_total,
            "unresolved_errors": found.issues_open,
            "total_events_24h": found.events_24h,
            "top_routes": [{"route": row.route, "count": row.event_count} for row in found.top_routes],
        }
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps(body)
