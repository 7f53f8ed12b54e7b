"""Issue pages for programs: the same address with `.md`, `.json` or `.csv` behind it, and the list as `/issues.md`.

Open to who may read errors: a person signed in, or a token with `errors:read`, which sees its project. What the
monitored application sent is marked as data (bloop/issues/detail/markdown.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlencode

import falcon

from bloop.auth.access import credential
from bloop.auth.scopes import Scope
from bloop.base.clock import DAY_MS
from bloop.base.errors import NotFound
from bloop.db.engine import Db
from bloop.issues import aggregates
from bloop.issues.aggregates import AggregateRow
from bloop.issues.comments import read as comments
from bloop.issues.comments.read import CommentRow
from bloop.issues.counts import read as counts
from bloop.issues.counts.read import HourCount
from bloop.issues.detail import show
from bloop.issues.detail.chosen_event import LOOKED_AT_MAX, choose_event
from bloop.issues.detail.markdown import UNTRUSTED, issue_markdown, list_markdown
from bloop.issues.events import read as events
from bloop.issues.events.read import EventRow
from bloop.issues.listing.page_read import find_page
from bloop.issues.listing.state import IssueView
from bloop.issues.read import IssueRow, find_issue
from bloop.issues.status import read as status
from bloop.issues.status.read import StatusChangeRow
from bloop.projects.read import visible_projects
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.filters import iso
from bloop.site.links import issue_href
from bloop.site.params import text_params
from bloop.site.principal import principal_of

COMMENTS_MAX = 50  # the newest
TREND_DAYS = 30
MARKDOWN = "text/markdown; charset=utf-8"
CSV = "text/csv; charset=utf-8"

_READ = credential(Scope.ERRORS_READ)


class IssueDocumentData(NamedTuple):
    """The rows of one document, read in one snapshot."""

    issue: IssueRow
    event: EventRow | None
    chosen: str
    aggregates: list[AggregateRow]
    changes: list[StatusChangeRow]
    hours: list[HourCount]
    comments: list[CommentRow]


class IssueDocument:
    """GET /issues/{ref}.md, .json and .csv, and the first two of a particular event."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get_md(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        self._markdown(resp, self._find(req, ref, None))

    def on_get_event_md(self, req: falcon.Request, resp: falcon.Response, ref: str, event_id: int) -> None:
        self._markdown(resp, self._find(req, ref, event_id))

    def on_get_json(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        self._json(resp, self._find(req, ref, None))

    def on_get_event_json(self, req: falcon.Request, resp: falcon.Response, ref: str, event_id: int) -> None:
        self._json(resp, self._find(req, ref, event_id))

    def on_get_csv(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        """Events per hour of the last thirty days, hours without events left out."""
        hours = self._find(req, ref, None).hours
        resp.content_type = CSV
        resp.text = "hour,events\n" + "".join(f"{iso(hour.hour_ms)},{hour.event_count}\n" for hour in hours)

    def _markdown(self, resp: falcon.Response, data: IssueDocumentData) -> None:
        url = _url(self._deps, data.issue)
        resp.content_type = MARKDOWN
        resp.text = issue_markdown(
            data.issue, data.event, data.chosen, data.aggregates, data.changes, url, data.comments
        )

    def _json(self, resp: falcon.Response, data: IssueDocumentData) -> None:
        body = {
            "notice": UNTRUSTED,
            "issue": issue_json(data.issue, _url(self._deps, data.issue)),
            "event": show.sample(data.event) if data.event else None,
            "event_chosen": data.chosen,
            "aggregates": [*map(show.aggregate, data.aggregates)],
            "trend": [*map(show.hour, data.hours)],
            "history": [*map(show.change, data.changes)],
            "comments": [*map(show.comment, data.comments)],
        }
        answer_json(resp, body)

    def _find(self, req: falcon.Request, ref: str, event_id: int | None) -> IssueDocumentData:
        since_ms = self._deps.now_ms() - TREND_DAYS * DAY_MS
        with self._deps.database.reader() as db:
            issue = find_issue(db, principal_of(req), ref)
            event, chosen = _event(db, issue, event_id)
            return IssueDocumentData(
                issue,
                event,
                chosen,
                aggregates.of_issues(db, [issue.id]),
                status.history(db, [issue.id]),
                counts.issue_trend(db, [issue.id], since_ms),
                comments.list_comments(db, [issue.id], limit=COMMENTS_MAX),
            )


class ListDocument:
    """GET /issues.md and /issues.json: the list that the same query shows at `/`."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get_md(self, req: falcon.Request, resp: falcon.Response) -> None:
        rows, next_url = self._find(req, "md")
        resp.content_type = MARKDOWN
        resp.text = list_markdown(rows, next_url)

    def on_get_json(self, req: falcon.Request, resp: falcon.Response) -> None:
        rows, next_url = self._find(req, "json")
        found = [issue_json(row, _url(self._deps, row)) for row in rows]
        answer_json(resp, {"notice": UNTRUSTED, "issues": found, "next": next_url or None})

    def _find(self, req: falcon.Request, kind: str) -> tuple[list[IssueRow], str]:
        view = IssueView.from_params(text_params(req))
        principal = principal_of(req)
        with self._deps.database.reader() as db:
            project_ids = visible_projects(db, principal, view.project)
            page = find_page(db, project_ids, view, principal.user_id, self._deps.now_ms())
        if page.next is None:
            return page.rows, ""
        query = urlencode(view.at(page.next).params())
        return page.rows, f"{self._deps.settings.auth.rp_origin.rstrip('/')}/issues.{kind}?{query}"


def issue_json(row: IssueRow, url: str) -> dict[str, Any]:
    """An issue with its numbers, times in ms."""
    return {
        "id": row.short_id,
        "url": url,
        "project": row.project_slug,
        "project_id": row.project_public_id,
        "fingerprint": row.fingerprint,
        "status": row.status,
        "level": row.level,
        "error_type": row.error_type,
        "message": row.message,
        "culprit": row.culprit,
        "source": row.source,
        "route_or_procedure": row.route,
        "screen": row.screen,
        "event_count": row.event_count,
        "user_count": row.user_count,
        "user_count_is_estimate": bool(row.users_are_estimated),
        "first_seen": row.first_seen_ms,
        "last_seen": row.last_seen_ms,
        "first_release": row.first_release,
        "last_release": row.last_release,
        "times_regressed": row.times_regressed,
        "resolved_at": row.resolved_at_ms,
        "resolved_in_release": row.resolved_in_release,
        "resolved_in_next_release": bool(row.resolved_in_next),
        "is_firing": bool(row.is_firing),
        "muted_until": row.muted_until_ms,
        "muted_events": row.muted_events,
        "muted_per_hour": row.muted_per_hour,
        "assignee": row.assignee_username,
    }


def _event(db: Db, issue: IssueRow, event_id: int | None) -> tuple[EventRow | None, str]:
    if event_id is None:
        return choose_event(events.list_events(db, [issue.id], limit=LOOKED_AT_MAX).rows)
    event = events.get_event(db, issue.id, event_id)
    if event is None:
        raise NotFound("this event has expired, or never belonged to this issue")
    return event, "it was requested by its ID"


def _url(deps: Deps, issue: IssueRow) -> str:
    return deps.settings.auth.rp_origin.rstrip("/") + issue_href(issue.short_id)
