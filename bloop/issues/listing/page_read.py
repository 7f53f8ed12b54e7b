"""Reads all that a page of the list shows, in one snapshot (LIST-1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bloop.accounts.people import read as people
from bloop.db.engine import Db
from bloop.issues import read as issues
from bloop.issues.counts import scoped, users
from bloop.issues.counts.environments import environments
from bloop.issues.counts.last_seen import last_seen
from bloop.issues.counts.scope import CountScope
from bloop.issues.deletion import read as deletion
from bloop.issues.listing.model import IssueFilter, Sort, Tab
from bloop.issues.listing.pages import NO_FACTS, ListRows, RowFacts
from bloop.issues.listing.pulse import read_pulse
from bloop.issues.listing.ranked import trend_of
from bloop.issues.listing.read import NO_ROWS, ListPage, list_page
from bloop.issues.listing.state import PAGE_ROWS, TABS, IssueView
from bloop.issues.listing.tab_counts import tab_counts
from bloop.issues.listing.tabs import TabCount
from bloop.issues.read import IssueRow
from bloop.issues.seen.read import unseen
from bloop.pipeline import signal_log as signals
from bloop.releases import read as releases

NO_COUNT = TabCount(0)
WIDER_RANGES = ("24h", "7d", "30d")  # offered where a range has nothing
WIDER_MAX = 4


def read_list(
    db: Db, project_ids: tuple[int, ...], view: IssueView, me: str, now_ms: int, *, is_readable: bool
) -> ListRows:
    """What the page of `view` is made of, for the user `me`. Not `is_readable`: its search cannot be understood."""
    scope = CountScope.of(view.scope, now_ms)
    new_in = _new_in(db, project_ids, view)
    page, facts, counts, total = NO_ROWS, NO_FACTS, dict[Tab, TabCount](), NO_COUNT
    if is_readable:
        issue_filter = issues.looked_up(db, project_ids, view.issue_filter(now_ms, me, new_in))
        page = _page(db, project_ids, view, issue_filter)
        facts = _facts(db, project_ids, page.rows, issue_filter, view.sort, me)
        counts, total = _counts(db, project_ids, view, issue_filter)
    is_empty = is_readable and not page.rows
    return ListRows(
        page=page,
        facts=facts,
        scope=scope,
        counts=counts,
        total=total,
        new_in=new_in,
        has_me=bool(me),
        pulse=read_pulse(db, project_ids, scope, now_ms),
        ever=bool(page.rows) or any(issues.status_counts(db, project_ids).values()),
        wider=[*_wider(db, project_ids, view, me, new_in, now_ms)] if is_empty else [],
        page_rows=PAGE_ROWS,
        signal_id=signals.last_id(db),
        deleting=deletion.progress(db),
        people=people.list_users(db) if page.rows else (),
    )


def find_page(
    db: Db, project_ids: tuple[int, ...], view: IssueView, me: str, now_ms: int, *, rows_max: int = PAGE_ROWS
) -> ListPage:
    """The rows alone. Raises: InvalidParameter: the search cannot be understood."""
    return _page(db, project_ids, view, filter_of(db, project_ids, view, me, now_ms), rows_max)


def filter_of(db: Db, project_ids: tuple[int, ...], view: IssueView, me: str, now_ms: int) -> IssueFilter:
    """What the list of `view` holds for the user `me`. Raises: InvalidParameter: the search cannot be understood."""
    return view.issue_filter(now_ms, me, _new_in(db, project_ids, view))


def _page(
    db: Db, project_ids: tuple[int, ...], view: IssueView, issue_filter: IssueFilter, rows_max: int = PAGE_ROWS
) -> ListPage:
    key = view.before.key if view.before else None
    return list_page(db, project_ids, issue_filter, view.sort, limit=rows_max, before=key)


def _new_in(db: Db, project_ids: tuple[int, ...], view: IssueView) -> str:
    """The release that the tab NEW is about: that of the scope, else the latest of the one project."""
    return view.release or (releases.latest_release(db, project_ids[0]) if len(project_ids) == 1 else "")


def _facts(
    db: Db, project_ids: Sequence[int], rows: Sequence[IssueRow], issue_filter: IssueFilter, sort: Sort, me: str
) -> RowFacts:
    scope = issue_filter.scope
    assert scope is not None
    ids = [row.id for row in rows]
    series = scoped.issue_series(db, ids, scope)
    events = {issue_id: sum(count for _, count in counts) for issue_id, counts in series.items()}
    is_last = scope.window.is_running and not scope.has_names
    return RowFacts(
        series=series,
        users=users.user_counts(db, project_ids, users.lives(db, ids), events, scope),
        last_seen={} if is_last else last_seen(db, project_ids, ids, scope),
        environments={} if scope.environment else environments(db, ids, scope),
        trends=_trends(db, project_ids, events, scope, issue_filter.now_ms) if sort is Sort.TREND else {},
        unseen=unseen(db, me, ids) if me else (),
    )


def _trends(
    db: Db, project_ids: Sequence[int], events: dict[int, int], scope: CountScope, now_ms: int
) -> dict[int, int]:
    earlier = scoped.issue_events(db, project_ids, [*events], scope.before(now_ms))
    return {issue_id: trend_of(number, earlier[issue_id]) for issue_id, number in events.items()}


def _counts(
    db: Db, project_ids: Sequence[int], view: IssueView, issue_filter: IssueFilter
) -> tuple[dict[Tab, TabCount], TabCount]:
    """Of the tabs, and of the list itself. A tab is without what the search says about statuses, as its link is."""
    tabs = [tab for tab in TABS if tab is not Tab.NEW or issue_filter.new_in]
    if not issue_filter.me:
        tabs.remove(Tab.MINE)
    if issue_filter.query.says_status:
        total = tab_counts(db, project_ids, issue_filter, [Tab.ALL])[Tab.ALL]
        others = replace(issue_filter, query=view.on_tab(Tab.ALL).query)
        return tab_counts(db, project_ids, others, tabs), total
    counts = tab_counts(db, project_ids, issue_filter, list(dict.fromkeys([*tabs, view.tab])))
    return {tab: counts[tab] for tab in tabs}, counts[view.tab]


def _wider(
    db: Db, project_ids: Sequence[int], view: IssueView, me: str, new_in: str, now_ms: int
) -> Iterator[tuple[IssueView, TabCount]]:
    """Lists that have rows where this one has none, at most WIDER_MAX."""
    found = 0
    for other in dict.fromkeys(_wider_views(view)):
        issue_filter = other.issue_filter(now_ms, me, new_in)
        tab = Tab.ALL if issue_filter.query.says_status else other.tab
        count = tab_counts(db, project_ids, issue_filter, [tab])[tab]
        if count.number or count.is_more:
            yield other, count
            found += 1
        if found == WIDER_MAX:
            return


def _wider_views(view: IssueView) -> Iterator[IssueView]:
    """In one way, then in its range and names together."""
    top = view.at(None)
    if view.filters:
        yield view.without_filters()
    if view.tab is not Tab.ALL:
        yield view.on_tab(Tab.ALL)
    if view.env:
        yield replace(top, env="")
    if view.release and view.tab is not Tab.NEW:
        yield replace(top, release="")
    ranges = WIDER_RANGES[WIDER_RANGES.index(view.t) + 1 :] if view.t in WIDER_RANGES else WIDER_RANGES
    yield from (replace(top, t=time_range) for time_range in ranges)
    if (view.env or view.release) and view.tab is not Tab.NEW:
        yield from (replace(top, env="", release="", t=time_range) for time_range in (view.t, *ranges))
