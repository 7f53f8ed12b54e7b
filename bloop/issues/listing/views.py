"""The HTML routes and the assets they load. Resources read and hand rows to pages.py; nothing is decided here.

LIST-1  One page is one snapshot: everything it shows is read in a single read transaction.
LIST-2  A change is a POST that answers 303 back to the page it came from, so reloading never repeats it.
"""

from __future__ import annotations

import falcon

from bloop.base.clock import DAY_MS, HOUR_MS, hour_of, minute_of
from bloop.base.errors import InvalidParameter
from bloop.db.engine import Db
from bloop.db.walk import PageKey
from bloop.issues import read as issues
from bloop.issues.counts import read as counts
from bloop.issues.deletion import read as deletion
from bloop.issues.listing import neighbours as pages
from bloop.issues.listing import pages as issue_list
from bloop.issues.listing.first_event import setup
from bloop.issues.listing.notice import take_notice
from bloop.issues.listing.pages import NO_MESSAGES, ListMessages
from bloop.issues.listing.state import PAGE_ROWS, IssueView
from bloop.issues.read import IssueFilter, IssueRow
from bloop.ledger import read as ledger
from bloop.pipeline import signal_log as signals
from bloop.projects import read as projects
from bloop.projects.read import visible_projects
from bloop.releases import read as releases
from bloop.site.charts import SPARK_HOURS
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.links import issue_href
from bloop.site.params import text_params
from bloop.site.principal import principal_of

ASSET_MAX_AGE_S = 31_536_000
SOURCES_SINCE_MS = 7 * DAY_MS
ANNOUNCED_MAX = 20  # alerts in the history of an issue


class IssueList:
    """GET /"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        view = IssueView.from_params(text_params(req))
        notice = take_notice(req, resp)
        show_list(self._deps, req, resp, view, ListMessages(notice=notice) if notice else NO_MESSAGES)


def show_list(deps: Deps, req: falcon.Request, resp: falcon.Response, view: IssueView, messages: ListMessages) -> None:
    """Answer with the list that `view` names; 400 when its search cannot be understood."""
    now_ms, principal = deps.now_ms(), principal_of(req)
    with deps.database.reader() as db:
        project_ids = visible_projects(db, principal, view.project)
        if issue_list.is_reference(view.q) and (named := issues.get_issue(db, project_ids, view.q)):
            raise falcon.HTTPSeeOther(issue_href(named.short_id))
        shell = deps.shell(db, principal, view.project, lambda slug: view.in_project(slug).href)
        try:
            issue_filter = view.issue_filter(now_ms)
        except InvalidParameter as error:
            messages = messages._replace(problem=error.reason)
            resp.status = falcon.HTTP_400
            issue_filter = None
        rows = _list_rows(db, project_ids, view, issue_filter, now_ms)
        outcomes = ledger.outcomes_since(db, project_ids, minute_of(now_ms - DAY_MS))
        target = projects.list_projects(db, project_ids[:1])
    hint = setup(target[0].slug, target[0].name, deps.settings.auth.rp_origin) if target else None
    numbers = issue_list.stats(rows.status_counts, outcomes, deps.ring_stat())
    send_page(deps, req, resp, issue_list.page(shell, view, rows, numbers, hint, now_ms, messages))


def _list_rows(
    db: Db, project_ids: tuple[int, ...], view: IssueView, issue_filter: IssueFilter | None, now_ms: int
) -> issue_list.ListRows:
    page = issues.IssueRows([], None)
    if issue_filter is not None:
        page = issues.list_issues(db, project_ids, issue_filter, sort=view.sort, limit=PAGE_ROWS, before=view.before)
    this_hour_ms = hour_of(now_ms)
    since_ms = this_hour_ms - (issue_list.TREND_HOURS - 1) * HOUR_MS
    return issue_list.ListRows(
        page=page,
        sparks=counts.sparklines(db, [row.id for row in page.rows], this_hour_ms - (SPARK_HOURS - 1) * HOUR_MS),
        status_counts=issues.status_counts(db, project_ids),
        firing_count=issues.firing_count(db, project_ids),
        trend=counts.project_trend(db, project_ids, since_ms),
        releases=releases.new_releases(db, project_ids, since_ms),
        options=_filter_options(db, project_ids, now_ms),
        before=_page_above(db, project_ids, view, issue_filter, page.rows),
        signal_id=signals.last_id(db),
        deleting=deletion.progress(db),
    )


def _filter_options(db: Db, project_ids: tuple[int, ...], now_ms: int) -> issue_list.FilterOptions:
    return issue_list.FilterOptions(
        environments=releases.list_environments(db, project_ids),
        releases=releases.list_releases(db, project_ids),
        sources=releases.list_sources(db, project_ids, hour_of(now_ms - SOURCES_SINCE_MS)),
        routes=[row.route for row in counts.top_routes(db, project_ids)],
    )


def _page_above(
    db: Db,
    project_ids: tuple[int, ...],
    view: IssueView,
    issue_filter: IssueFilter | None,
    rows: list[IssueRow],
) -> PageKey | None:
    if view.before is None or issue_filter is None or not rows:
        return None
    first = issue_list.place_of(rows[0], view.sort)
    return pages.page_before(db, project_ids, issue_filter, sort=view.sort, first=first, limit=PAGE_ROWS)
