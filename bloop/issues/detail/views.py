"""The page of one issue and one of its events."""

from __future__ import annotations

import falcon

from bloop.accounts.people import read as users
from bloop.alerts.deliveries import read as alert_log
from bloop.auth.principal import PrincipalKind
from bloop.base.clock import DAY_MS
from bloop.base.errors import NotFound
from bloop.db.engine import Db
from bloop.issues import aggregates
from bloop.issues.counts import read as counts
from bloop.issues.detail import pages as issue_detail
from bloop.issues.events import read as events
from bloop.issues.read import IssueRow, find_issue
from bloop.issues.status import read as status
from bloop.pipeline import signal_log as signals
from bloop.releases import read as releases
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.principal import principal_of

ANNOUNCED_MAX = 20  # alerts in the history of an issue


class IssueResource:
    """GET /issues/{ref} shows the newest event, GET /issues/{ref}/events/{event_id} a particular one."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response, ref: str) -> None:
        self._show(req, resp, ref, None)

    def on_get_event(self, req: falcon.Request, resp: falcon.Response, ref: str, event_id: int) -> None:
        self._show(req, resp, ref, event_id)

    def _show(self, req: falcon.Request, resp: falcon.Response, ref: str, event_id: int | None) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        with self._deps.database.reader() as db:
            issue = find_issue(db, principal, ref)
            shell = self._deps.shell(db, principal, issue.project_slug)
            event = self._event(db, issue, event_id)
            since_ms = now_ms - issue_detail.MONTH_DAYS * DAY_MS
            rows = issue_detail.DetailRows(
                issue=issue,
                event=event,
                neighbours=events.neighbours(db, event) if event else None,
                aggregates=aggregates.of_issues(db, [issue.id]),
                hours=counts.issue_trend(db, [issue.id], since_ms),
                changes=status.history(db, [issue.id]),
                announced=alert_log.announced(db, issue.id, limit=ANNOUNCED_MAX),
                releases=releases.new_releases(db, [issue.project_id], since_ms),
                traits=events.newest_traits(db, issue.id, limit=issue_detail.TRAITS_MAX),
                people=users.list_users(db),
                signal_id=signals.last_id(db),
            )
        me = principal.id if principal.kind is PrincipalKind.USER else ""
        send_page(self._deps, req, resp, issue_detail.page(shell, rows, me, now_ms))

    def _event(self, db: Db, issue: IssueRow, event_id: int | None) -> events.EventRow | None:
        if event_id is None:
            return next(iter(events.list_events(db, [issue.id], limit=1).rows), None)
        event = events.get_event(db, issue.id, event_id)
        if event is None:
            raise NotFound("this event was pruned, or never belonged to this issue")
        return event
