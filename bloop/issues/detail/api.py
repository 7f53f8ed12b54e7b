"""/v1/errors/{fingerprint} and what hangs on it. A short id such as SHOP-12 works wherever a fingerprint does.

Without `project_id` a fingerprint stands for every issue of that name the caller may see, one per project.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import falcon
import orjson

from bloop.base.clock import HOUR_MS
from bloop.base.errors import NotFound
from bloop.db.engine import Db
from bloop.issues import aggregates
from bloop.issues.counts import read as counts
from bloop.issues.deletion.actions import delete_named
from bloop.issues.detail import show
from bloop.issues.events import read as events
from bloop.issues.read import IssueRow, find_issues
from bloop.issues.status import read as history
from bloop.issues.status.actor import API, Actors
from bloop.issues.status.changes import Assignment, change_issues
from bloop.issues.status.choices import StatusChoice, choice_of
from bloop.issues.status.model import Status
from bloop.issues.status.requests import ChangeRequest, assignee_in
from bloop.projects.read import visible_projects
from bloop.site import params
from bloop.site.bodies import read_json, read_optional_json
from bloop.site.deps import Deps
from bloop.site.paging import Pager
from bloop.site.principal import principal_of

HOURS_DEFAULT = 72
HOURS_MAX = 720


class IssueApi:
    def __init__(self, deps: Deps, pager: Pager) -> None:
        self._deps, self._pager = deps, pager
        self._actors = Actors(deps, API)
        self._samples_max = deps.settings.pipeline.sample_reservoir_size

    def on_get(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        with self._deps.database.reader() as db:
            found = _ids(_known(_find(db, req, fingerprint), fingerprint))
            rows = aggregates.of_issues(db, found)
            samples = events.list_events(db, found, limit=self._samples_max).rows
        _send(resp, {"aggregates": [*map(show.aggregate, rows)], "samples": [*map(show.sample, samples)]})

    def on_get_occurrences(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        with self._deps.database.reader() as db:
            found = _ids(_find(db, req, fingerprint))
            what = ("events", tuple(found))
            start = self._pager.start(req, what)
            page = events.list_events(db, found, limit=start.limit, before=start.before, skip=start.skip)
        self._pager.finish(req, resp, what, start, page.next)
        _send(resp, [*map(show.occurrence, page.rows)])

    def on_get_trend(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        since_ms = trend_start_ms(req, self._deps.now_ms())
        with self._deps.database.reader() as db:
            hours = counts.issue_trend(db, _ids(_find(db, req, fingerprint)), since_ms)
        _send(resp, [*map(show.hour, hours)])

    def on_get_history(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        with self._deps.database.reader() as db:
            changes = history.history(db, _ids(_find(db, req, fingerprint)))
        _send(resp, [*map(show.change, changes)])

    def on_delete(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        result = delete_named(
            self._deps,
            principal_of(req),
            [fingerprint],
            project=req.get_param("project_id"),
            actor=self._actors.of(req),
        )
        if not result.deleted.issues:
            raise NotFound(f"no errors with fingerprint {fingerprint}")
        _send(resp, {"deleted": result.deleted.issues, "events": result.deleted.events})

    def on_post_resolve(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        self._change(req, resp, fingerprint, choice_of(Status.RESOLVED, read_optional_json(req), self._deps.now_ms()))

    def on_post_ignore(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        self._change(req, resp, fingerprint, StatusChoice(Status.IGNORED))

    def on_post_mute(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        self._change(req, resp, fingerprint, choice_of(Status.MUTED, read_optional_json(req), self._deps.now_ms()))

    def on_post_unresolve(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        self._change(req, resp, fingerprint, StatusChoice(Status.UNRESOLVED))

    def on_post_assign(self, req: falcon.Request, resp: falcon.Response, fingerprint: str) -> None:
        request = ChangeRequest(assignee=assignee_in(read_json(req)))
        actor, now_ms = self._actors.of(req), self._deps.now_ms()

        def change(db: Db) -> dict[str, Any]:
            found = _known(_find(db, req, fingerprint), fingerprint)
            assignment = request.look_up(db)
            assert isinstance(assignment, Assignment)
            changed = change_issues(db, _ids(found), assignment, actor=actor, now_ms=now_ms)
            username = assignment.person and assignment.person.username
            return {"fingerprint": found[0].fingerprint, "assignee": username, **changed._asdict()}

        _send(resp, self._deps.database.change(change))

    def _change(self, req: falcon.Request, resp: falcon.Response, fingerprint: str, choice: StatusChoice) -> None:
        actor, now_ms = self._actors.of(req), self._deps.now_ms()

        def change(db: Db) -> dict[str, Any]:
            found = _known(_find(db, req, fingerprint), fingerprint)
            changed = change_issues(db, _ids(found), choice, actor=actor, now_ms=now_ms)
            return {"fingerprint": found[0].fingerprint, "status": choice.status.value, **changed._asdict()}

        _send(resp, self._deps.database.change(change))


class Trends:
    """GET /v1/counts."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        since_ms = trend_start_ms(req, self._deps.now_ms())
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal_of(req), req.get_param("project_id"))
            hours = counts.project_trend(db, project_ids, since_ms)
        _send(resp, [*map(show.hour, hours)])


def trend_start_ms(req: falcon.Request, now_ms: int) -> int:
    """`hours` before now: buckets that start earlier are not shown."""
    return now_ms - HOUR_MS * params.integer(req, "hours", HOURS_DEFAULT, low=1, high=HOURS_MAX)


def _find(db: Db, req: falcon.Request, fingerprint: str) -> list[IssueRow]:
    return find_issues(db, visible_projects(db, principal_of(req), req.get_param("project_id")), fingerprint)


def _known(found: list[IssueRow], fingerprint: str) -> list[IssueRow]:
    if not found:
        raise NotFound(f"no errors with fingerprint {fingerprint}")
    return found


def _ids(found: Sequence[IssueRow]) -> list[int]:
    return [issue.id for issue in found]


def _send(resp: falcon.Response, body: object) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = orjson.dumps(body)
