"""The HTML routes and the assets they load. Resources read and hand rows to pages.py; nothing is decided here.

W1  One page is one snapshot: everything it shows is read in a single read transaction.
W2  A change is a POST that answers 303 back to the page it came from, so reloading never repeats it.
"""

from __future__ import annotations

import apsw
import falcon

from bloop.accounts.authenticate import principal_of, visible_projects
from bloop.accounts.people import read as users
from bloop.alerts.deliveries import read as alert_log
from bloop.auth.access import OPEN, PAGE
from bloop.auth.principal import Kind, Principal
from bloop.base.clock import DAY_MS, HOUR_MS, hour_of, minute_of
from bloop.base.errors import InvalidParameter, NotFound
from bloop.db.walk import PageKey
from bloop.issues import aggregates
from bloop.issues import read as issues
from bloop.issues.counts import stats, trends
from bloop.issues.detail import pages as issue_detail
from bloop.issues.events import read as events
from bloop.issues.listing import neighbours as pages
from bloop.issues.listing import pages as issue_list
from bloop.issues.listing.pages import NOTHING_SAID, Said
from bloop.issues.listing.state import PAGE_ROWS, IssueView
from bloop.issues.read import IssueFilter, IssueRow
from bloop.issues.status import read as status
from bloop.ledger import read as ledger
from bloop.pipeline import signal_log as signals
from bloop.projects import read as projects
from bloop.projects.onboarding.first_event import setup
from bloop.releases import read as releases
from bloop.site import shell as build
from bloop.site.assets import Asset, Assets
from bloop.site.charts import SPARK_HOURS
from bloop.site.contexts import Shell
from bloop.site.deps import Deps
from bloop.site.html import answer_errors_with_pages, send_page, takes_gzip
from bloop.site.notice import take_notice
from bloop.site.routes import Routes

ASSET_MAX_AGE_S = 31_536_000
SOURCES_SINCE_MS = 7 * DAY_MS
ANNOUNCED_MAX = 20  # alerts in the history of an issue


def mount_pages(routes: Routes, deps: Deps) -> None:
    """Add the pages, the assets, and pages for errors. Call after the API's error handlers are installed."""
    routes.add("/", IssueList(deps), GET=PAGE)
    routes.add("/issues/{ref}", Issue(deps), GET=PAGE)
    routes.add("/issues/{ref}/events/{event_id:int}", Issue(deps), suffix="event", GET=PAGE)
    routes.add("/assets/{name}", AssetFiles(Assets()), GET=OPEN)
    answer_errors_with_pages(routes.app, deps)


class IssueList:
    """GET /"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        view = IssueView.from_params(params_of(req))
        notice = take_notice(req, resp)
        show_list(self._deps, req, resp, view, Said(notice=notice) if notice else NOTHING_SAID)


def show_list(deps: Deps, req: falcon.Request, resp: falcon.Response, view: IssueView, said: Said) -> None:
    """Answer with the list that `view` names; 400 when its search cannot be understood."""
    now_ms, principal = deps.now_ms(), principal_of(req)
    with deps.database.reader() as db:
        project_ids = visible_projects(db, principal, view.project)
        if issue_list.is_reference(view.q) and (named := issues.get_issue(db, project_ids, view.q)):
            raise falcon.HTTPSeeOther(build.issue_href(named.short_id))
        shell = _shell(db, principal, view, view.project)
        try:
            wanted = view.wanted(now_ms)
        except InvalidParameter as error:
            said = said._replace(problem=error.reason)
            resp.status = falcon.HTTP_400
            wanted = None
        rows = _list_rows(db, project_ids, view, wanted, now_ms)
        outcomes = ledger.outcomes_since(db, project_ids, minute_of(now_ms - DAY_MS))
        target = projects.list_projects(db, project_ids[:1])
    hint = setup(target[0].slug, target[0].name, deps.settings.auth.rp_origin) if target else None
    numbers = issue_list.stats(rows.status_counts, outcomes, deps.ring_stat())
    send_page(deps, req, resp, issue_list.page(shell, view, rows, numbers, hint, now_ms, said))


class Issue:
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
            shell = _shell(db, principal, IssueView(), issue.project_slug)
            event = self._event(db, issue, event_id)
            since_ms = now_ms - issue_detail.MONTH_DAYS * DAY_MS
            rows = issue_detail.DetailRows(
                issue=issue,
                event=event,
                neighbours=events.neighbours(db, event) if event else None,
                aggregates=aggregates.of_issues(db, [issue.id]),
                hours=trends.issue_trend(db, [issue.id], since_ms),
                changes=status.history(db, [issue.id]),
                announced=alert_log.announced(db, issue.id, limit=ANNOUNCED_MAX),
                releases=releases.new_releases(db, [issue.project_id], since_ms),
                traits=events.newest_traits(db, issue.id, limit=issue_detail.TRAITS_MAX),
                people=users.list_users(db),
                signal_id=signals.last_id(db),
            )
        me = principal.id if principal.kind is Kind.USER else ""
        send_page(self._deps, req, resp, issue_detail.page(shell, rows, me, now_ms))

    def _event(self, db: apsw.Connection, issue: IssueRow, event_id: int | None) -> events.EventRow | None:
        if event_id is None:
            return next(iter(events.list_events(db, [issue.id], limit=1).rows), None)
        event = events.get_event(db, issue.id, event_id)
        if event is None:
            raise NotFound("this event was pruned, or never belonged to this issue")
        return event


class AssetFiles:
    """GET /assets/{name}: files under hashed names, immutable."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        asset: Asset | None = self._assets.get(name)
        if asset is None:
            raise NotFound("no such file")
        resp.content_type = asset.content_type
        resp.set_header("Cache-Control", f"public, max-age={ASSET_MAX_AGE_S}, immutable")
        resp.data = asset.body
        if asset.gzipped is not None:
            resp.set_header("Vary", "Accept-Encoding")
            if takes_gzip(req):
                resp.set_header("Content-Encoding", "gzip")
                resp.data = asset.gzipped


def params_of(req: falcon.Request) -> dict[str, str]:
    """Query parameters as text; of a repeated one the last counts."""
    return {name: value[-1] if isinstance(value, list) else value for name, value in req.params.items()}


def find_issue(db: apsw.Connection, principal: Principal, ref: str) -> IssueRow:
    issue = issues.get_issue(db, visible_projects(db, principal, None), ref)
    if issue is None:
        raise NotFound("no issue has this id")
    return issue


def _shell(db: apsw.Connection, principal: Principal, view: IssueView, slug: str) -> Shell:
    seen = projects.list_projects(db, principal.project_ids)
    return build.shell(principal.name, seen, pages.open_counts(db, [p.id for p in seen]), view, slug)


def _list_rows(
    db: apsw.Connection, project_ids: tuple[int, ...], view: IssueView, wanted: IssueFilter | None, now_ms: int
) -> issue_list.ListRows:
    page = issues.IssuePage([], None)
    if wanted is not None:
        page = issues.list_issues(db, project_ids, wanted, sort=view.sort, limit=PAGE_ROWS, before=view.before)
    this_hour_ms = hour_of(now_ms)
    since_ms = this_hour_ms - (issue_list.TREND_HOURS - 1) * HOUR_MS
    return issue_list.ListRows(
        page=page,
        sparks=trends.sparklines(db, [row.id for row in page.rows], this_hour_ms - (SPARK_HOURS - 1) * HOUR_MS),
        status_counts=issues.status_counts(db, project_ids),
        firing_count=issues.firing_count(db, project_ids),
        trend=trends.project_trend(db, project_ids, since_ms),
        releases=releases.new_releases(db, project_ids, since_ms),
        offered=_offered(db, project_ids, now_ms),
        before=_page_above(db, project_ids, view, wanted, page.rows),
        signal_id=signals.last_id(db),
    )


def _offered(db: apsw.Connection, project_ids: tuple[int, ...], now_ms: int) -> issue_list.Offered:
    return issue_list.Offered(
        environments=releases.list_environments(db, project_ids),
        releases=[row.release for row in releases.list_releases(db, project_ids)],
        sources=pages.list_sources(db, project_ids, hour_of(now_ms - SOURCES_SINCE_MS)),
        routes=[row.route for row in stats.top_routes(db, project_ids)],
    )


def _page_above(
    db: apsw.Connection,
    project_ids: tuple[int, ...],
    view: IssueView,
    wanted: IssueFilter | None,
    rows: list[IssueRow],
) -> PageKey | None:
    if view.before is None or wanted is None or not rows:
        return None
    first = issue_list.place_of(rows[0], view.sort)
    return pages.page_before(db, project_ids, wanted, sort=view.sort, first=first, limit=PAGE_ROWS)
