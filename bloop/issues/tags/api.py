"""GET /v1/errors/{fingerprint}/tags: the most frequent values of each tag, within a scope."""

from __future__ import annotations

from typing import Any

import falcon

from bloop.base.errors import NotFound
from bloop.issues.events.read import by_ids
from bloop.issues.events.scoped import EventScope, events_in_scope
from bloop.issues.read import find_issues
from bloop.issues.tags.model import TagSummary, summarise
from bloop.projects.read import visible_projects
from bloop.site import params
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.principal import principal_of
from bloop.site.scope import PageScope

EVENTS_MAX = 5000
VALUES_DEFAULT = 10
VALUES_MAX = 50


class TagsApi:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        scope = PageScope.from_params(params.text_params(req))
        window = scope.window(self._deps.now_ms())
        values_max = params.integer(req, "limit", VALUES_DEFAULT, low=1, high=VALUES_MAX)
        within = EventScope(window.from_ms, window.to_ms, scope.environment, scope.release)
        with self._deps.database.reader() as db:
            issues = find_issues(db, visible_projects(db, principal_of(req), req.get_param("project_id")), fingerprint)
            if not issues:
                raise NotFound(f"no errors with fingerprint {fingerprint}")
            scoped = [events_in_scope(db, issue.id, within) for issue in issues]
            newest = sorted((key for events in scoped for key in events.keys), reverse=True)[:EVENTS_MAX]
            rows = by_ids(db, [key.id for key in newest])
        is_complete = all(events.is_complete for events in scoped) and sum(e.total for e in scoped) == len(newest)
        tags = [tag_json(tag, len(rows)) for tag in summarise(rows, values_max=values_max)]
        answer_json(resp, {"events": len(rows), "is_complete": is_complete, "tags": tags})


def tag_json(tag: TagSummary, events: int) -> dict[str, Any]:
    """`share` is of all events that were looked at."""
    return {
        "key": tag.key,
        "events": tag.event_count,
        "distinct": tag.distinct_count,
        "values": [
            {"value": value.value, "count": value.event_count, "share": round(value.event_count / events, 4)}
            for value in tag.values
        ],
        "other": tag.other_count,
    }
