"""Rows → the issue list. Pure: the resource reads, this arranges."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from bloop.base.outcomes import Outcome
from bloop.db.walk import PageKey
from bloop.issues import read as issues
from bloop.issues.contexts import (
    NEW_MS,
    Chip,
    Empty,
    FilterSelect,
    IssueLine,
    IssueListPage,
    ListStats,
    Setup,
    actions_of,
    more_actions_of,
)
from bloop.issues.counts.read import HourCount
from bloop.issues.culprit import where_of
from bloop.issues.deletion.model import DeletionProgress
from bloop.issues.limits.model import describe_users
from bloop.issues.listing.state import SORT_LABELS, TAB_LABELS, TABS, IssueView
from bloop.issues.read import Tab
from bloop.issues.status.model import OPEN
from bloop.site import charts
from bloop.site.contexts import Notice, Option, Shell, TabLink
from bloop.site.links import issue_href

TREND_HOURS = 72
OPTIONS_MAX = 40  # of one select; older releases are found by typing them into the URL or from an issue's page
FILTER_LABELS = {
    "q": "Search",
    "environment": "Environment",
    "release": "Release",
    "source": "Source",
    "route": "Route",
}
# What an event can be lost to that the operator can do something about; wrong keys and bad bodies are the client's.
LOSSES = (Outcome.RING_FULL, Outcome.RATE_LIMITED, Outcome.DEAD_LETTER, Outcome.INTERRUPTED)
_REFERENCE = re.compile(r"[A-Za-z0-9-]+-[0-9]{1,18}|[0-9a-f]{16}")


class RingUse(Protocol):
    """The part of the ring's state that the page shows."""

    @property
    def fill(self) -> float: ...


class FilterOptions(NamedTuple):
    """The values of each filter, best first."""

    environments: Sequence[str]
    releases: Sequence[str]
    sources: Sequence[str]
    routes: Sequence[str]


class ListRows(NamedTuple):
    """The rows of one page of the list."""

    page: issues.IssueRows
    sparks: Mapping[int, Sequence[HourCount]]
    status_counts: Mapping[str, int]
    trend: Sequence[HourCount]
    options: FilterOptions
    before: PageKey | None  # where the page above this one begins; None: at the top
    signal_id: int = 0
    releases: Sequence[tuple[str, int]] = ()  # first seen within TREND_HOURS
    firing_count: int = 0
    deleting: DeletionProgress = DeletionProgress(0, 0)


class ListMessages(NamedTuple):
    """Messages beside the rows. `failed` holds the reason why an action skipped an issue, by short id."""

    problem: str = ""
    notice: Notice | None = None
    ticked: Collection[str] = ()
    failed: Mapping[str, str] = {}


NO_MESSAGES = ListMessages()


def page(
    shell: Shell,
    view: IssueView,
    rows: ListRows,
    stats: ListStats,
    setup: Setup | None,
    now_ms: int,
    messages: ListMessages = NO_MESSAGES,
) -> IssueListPage:
    """The whole context of `/`. `setup` is shown when nothing has ever arrived."""
    empty = None if rows.page.rows else _why_empty(view, rows, messages.problem)
    return IssueListPage(
        shell=shell,
        now_ms=now_ms,
        view=view,
        tabs=tuple(_tab(view, tab, rows) for tab in TABS),
        choices=tuple(_choices(view, rows.options)),
        chips=tuple(Chip(FILTER_LABELS[n], v, view.without(n).href) for n, v in view.filters.items()),
        sorts=tuple(Option(sort, label, sort == view.sort) for sort, label in SORT_LABELS.items()),
        stats=stats,
        trend=charts.marked(charts.hourly(rows.trend, now_ms, hours=TREND_HOURS), rows.releases),
        problem=messages.problem,
        notice=messages.notice,
        actions=actions_of(_is_open(view)),
        more_actions=more_actions_of(_is_open(view)),
        signal_id=rows.signal_id,
        rows=tuple(_row(issue, rows.sparks.get(issue.id, ()), now_ms, messages) for issue in rows.page.rows),
        empty=empty,
        setup=setup if empty is Empty.NEVER else None,
        deleting=rows.deleting.waiting + rows.deleting.purging,
        deleting_is_more=rows.deleting.is_more,
        delete_href=f"/issues/delete?{view.at(None).query_string}" if rows.page.rows else "",
        older_href=view.at(rows.page.next).href if rows.page.next else "",
        newer_href=view.at(rows.before).href if view.before else "",
    )


def stats(status_counts: Mapping[str, int], outcomes: Mapping[Outcome, int], ring: RingUse | None) -> ListStats:
    """The numbers on top. `outcomes` are those of the last 24 hours."""
    return ListStats(
        issues=sum(status_counts.values()),
        unresolved=sum(status_counts.get(status, 0) for status in OPEN),
        events_24h=outcomes.get(Outcome.STORED, 0),
        ring_fill=ring.fill if ring else None,
        dropped_24h=sum(outcomes.get(outcome, 0) for outcome in LOSSES),
    )


def place_of(issue: issues.IssueRow, sort: issues.Sort) -> PageKey:
    """Where an issue stands in the list ordered by `sort`."""
    value = {
        issues.Sort.LAST_SEEN: issue.last_seen_ms,
        issues.Sort.FIRST_SEEN: issue.first_seen_ms,
        issues.Sort.EVENTS: issue.event_count,
    }[sort]
    return PageKey(value, issue.status, issue.id)


def is_reference(text: str) -> bool:
    """Whether a search reads like SHOP-12 or like a fingerprint: then the issue itself is looked for first."""
    return _REFERENCE.fullmatch(text) is not None


def _is_open(view: IssueView) -> bool | None:
    """Whether the rows of this list are open, as far as the tab says."""
    tab = view.shown_tab
    return None if tab in (None, Tab.ALL) else tab in (Tab.OPEN, Tab.UNRESOLVED, Tab.REGRESSED)


def _why_empty(view: IssueView, rows: ListRows, problem: str) -> Empty:
    if problem:
        return Empty.UNREADABLE
    if not any(rows.status_counts.values()):
        return Empty.NEVER
    if view.filters or view.before:
        return Empty.FILTERED
    return Empty.CAUGHT_UP if view.tab is Tab.OPEN else Empty.TAB


def _tab(view: IssueView, tab: Tab, rows: ListRows) -> TabLink:
    counts = rows.status_counts
    statuses = {Tab.OPEN: OPEN, Tab.ALL: tuple(counts)}.get(tab, (tab.value,))
    count = rows.firing_count if tab is Tab.FIRING else sum(counts.get(status, 0) for status in statuses)
    label = TAB_LABELS.get(tab, tab.value.capitalize())
    return TabLink(label, view.on_tab(tab).href, None if view.filters else count, tab is view.shown_tab)


def _choices(view: IssueView, offered: FilterOptions) -> list[FilterSelect]:
    found = []
    for name, values in zip(("environment", "release", "source", "route"), offered, strict=True):
        chosen = getattr(view, name)
        shown = list(values[:OPTIONS_MAX])
        if chosen and chosen not in shown:
            shown.insert(0, chosen)
        label = FILTER_LABELS[name]
        options = (Option("", label, not chosen), *(Option(v, v, v == chosen) for v in shown))
        found.append(FilterSelect(name, label, bool(chosen), options))
    return found


def _row(issue: issues.IssueRow, spark: Sequence[HourCount], now_ms: int, messages: ListMessages) -> IssueLine:
    return IssueLine(
        href=issue_href(issue.short_id),
        short_id=issue.short_id,
        status=issue.status,
        level=issue.level,
        error_type=issue.error_type,
        message=issue.message,
        where=where_of(issue),
        release=issue.last_release,
        event_count=issue.event_count,
        user_count=issue.user_count,
        users=describe_users(issue.user_count, is_estimate=bool(issue.users_are_estimated)),
        first_seen_ms=issue.first_seen_ms,
        last_seen_ms=issue.last_seen_ms,
        spark=charts.sparkline(spark, now_ms),
        events_24h=sum(hour.event_count for hour in spark),
        is_new=now_ms - issue.first_seen_ms < NEW_MS,
        is_firing=bool(issue.is_firing),
        assignee=issue.assignee_name or "",
        ticked=issue.short_id in messages.ticked,
        failed=messages.failed.get(issue.short_id, ""),
    )
