"""Rows → the issue list. Pure: the resource reads, this arranges."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from bloop.accounts.people.read import UserRow
from bloop.base.clock import DAY_MS
from bloop.issues.contexts import (
    NEW_MS,
    Chip,
    EmptyState,
    IssueLine,
    IssueListPage,
    Setup,
    SortLink,
    WiderScope,
    actions_of,
    more_actions_of,
)
from bloop.issues.counts.scope import CountScope
from bloop.issues.counts.scoped import Series
from bloop.issues.counts.users import UserCount
from bloop.issues.culprit import where_of
from bloop.issues.deletion.model import DeletionProgress
from bloop.issues.limits.model import describe_users
from bloop.issues.listing import numbers, words
from bloop.issues.listing.model import Sort, Tab
from bloop.issues.listing.pulse import Pulse
from bloop.issues.listing.ranked import DAMPING
from bloop.issues.listing.read import ListPage
from bloop.issues.listing.state import MORE_TABS, SORT_LABELS, TABS, IssueView
from bloop.issues.listing.tabs import TabCount
from bloop.issues.read import IssueRow
from bloop.site.contexts import Notice, Option, Shell, TabLink
from bloop.site.links import issue_href
from bloop.site.scope import PageScope
from bloop.site.strip import make_strip, spark_path

WHERE_CHARS_MAX = 80
MORE_THAN_ONE = 2  # choices of the scope bar: the one environment, and all
COLORS = 5  # of the dots that tell projects apart
FILTER_LABELS = {"q": "Search", "source": "Source", "route": "Route"}
_REFERENCE = re.compile(r"[A-Za-z0-9-]+-[0-9]{1,18}|[0-9a-f]{16}")


class RowFacts(NamedTuple):
    """What the rows of a page show of their scope, by issue id."""

    series: Mapping[int, Series]
    users: Mapping[int, UserCount]
    last_seen: Mapping[int, int]
    environments: Mapping[int, Sequence[str]]
    trends: Mapping[int, int]  # thousandths; empty unless the list is in that order
    unseen: Collection[int]


NO_FACTS = RowFacts({}, {}, {}, {}, {}, ())


class ListRows(NamedTuple):
    """What one page of the list is made of."""

    page: ListPage
    facts: RowFacts
    scope: CountScope
    counts: Mapping[Tab, TabCount]
    total: TabCount  # of the list itself
    new_in: str  # the release that the tab NEW is about; "": no such tab
    has_me: bool  # somebody to whom issues can be assigned
    pulse: Pulse
    ever: bool  # an event has arrived at some time
    wider: Sequence[tuple[IssueView, TabCount]]  # other lists, where this one is empty
    page_rows: int  # of a full page
    signal_id: int = 0
    deleting: DeletionProgress = DeletionProgress(0, 0)
    people: Sequence[UserRow] = ()


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
    setup: Setup | None,
    now_ms: int,
    messages: ListMessages = NO_MESSAGES,
    *,
    may_share: bool = False,
) -> IssueListPage:
    """The whole context of `/`. `setup` is shown when nothing has ever arrived; None: there is no project."""
    shown = rows.page.rows
    start = rows.page.start if rows.page.start is not None else view.before.above if view.before else 0
    is_setup = setup is not None and not rows.ever and not messages.problem
    has_more = rows.page.next is not None or start > 0
    return IssueListPage(
        shell=shell,
        now_ms=now_ms,
        view=view,
        tabs=tuple(_tab(view, tab, rows) for tab in TABS if _has_tab(tab, view, rows)),
        more_tabs=tuple(_tab(view, tab, rows) for tab in MORE_TABS),
        chips=tuple(Chip(FILTER_LABELS[n], v, view.without(n).href) for n, v in view.filters.items() if n != "q"),
        sorts={sort.value: _sort_link(view, sort) for sort in Sort},
        numbers=numbers.of_pulse(rows.pulse, rows.scope),
        strip=make_strip(rows.pulse.series.counts, rows.pulse.series.window, rows.pulse.releases),
        problem=messages.problem,
        notice=messages.notice,
        actions=actions_of(_is_open(view)),
        more_actions=more_actions_of(_is_open(view)),
        signal_id=rows.signal_id,
        rows=tuple(_rows(view, rows, shell, now_ms, messages)),
        place=words.place(start, len(shown), rows.total) if shown else "",
        matching=words.count(rows.total) if has_more and shown else "",
        limits=words.limits(rows.page),
        empty=None if shown else _why_empty(view, rows, setup, messages.problem),
        setup=setup if is_setup else None,
        deleting=rows.deleting.waiting + rows.deleting.purging,
        deleting_is_more=rows.deleting.is_more,
        delete_href=f"/issues/delete?{view.at(None).query_string}" if shown else "",
        older_href=view.at(rows.page.next, start + len(shown)).href if rows.page.next else "",
        newer_href=_newer(view, rows, start),
        people=tuple(Option(person.username, person.display_name, chosen=False) for person in rows.people),
        has_me=rows.has_me,
        save_query=view.at(None).query_string,
        may_share=may_share,
    )


def is_reference(text: str) -> bool:
    """Whether a search reads like SHOP-12 or like a fingerprint: then the issue itself is looked for first."""
    return _REFERENCE.fullmatch(text) is not None


def _newer(view: IssueView, rows: ListRows, start: int) -> str:
    if view.before is None:
        return ""
    return view.at(rows.page.above, max(0, start - rows.page_rows)).href


def _is_open(view: IssueView) -> bool | None:
    """Whether the rows of this list are open, as far as the tab says."""
    tab = view.shown_tab
    if tab in (None, Tab.ALL, Tab.NEW):
        return None
    return tab in (Tab.OPEN, Tab.MINE, Tab.UNRESOLVED, Tab.REGRESSED)


def _has_tab(tab: Tab, view: IssueView, rows: ListRows) -> bool:
    """Two tabs need something: a visitor with an account, and a project with a release."""
    if tab is Tab.MINE:
        return rows.has_me
    return tab is not Tab.NEW or bool(rows.new_in) or view.tab is Tab.NEW


def _tab(view: IssueView, tab: Tab, rows: ListRows) -> TabLink:
    count = rows.counts.get(tab)
    return TabLink(
        label=words.tab(tab, rows.new_in),
        href=view.on_tab(tab).href,
        count=None if count is None else count.number,
        current=tab is view.shown_tab,
        is_more=count is not None and count.is_more,
    )


def _sort_link(view: IssueView, sort: Sort) -> SortLink:
    hint = ""
    if sort is Sort.TREND:
        hint = f"Events, compared with the range before. {DAMPING} are added to both, so that a few make no trend."
    return SortLink(SORT_LABELS[sort], view.sorted_by(sort).href, sort is view.sort, hint)


def _why_empty(view: IssueView, rows: ListRows, setup: Setup | None, problem: str) -> EmptyState:
    if problem:
        return words.UNREADABLE
    if not rows.ever:
        return words.NEVER if setup else words.NO_PROJECT
    wider = [WiderScope(words.wider(view, other), words.count(count), other.href) for other, count in rows.wider]
    return words.empty(view, rows.new_in, rows.pulse.series.total, tuple(wider))


def _rows(view: IssueView, rows: ListRows, shell: Shell, now_ms: int, messages: ListMessages) -> Iterator[IssueLine]:
    # The issue's page obeys the same scope, but for the project, which it has.
    query = PageScope(environment=view.env, release=view.release, range=view.t).href("")
    has_environments = not view.env and len(shell.scope.environments if shell.scope else ()) > MORE_THAN_ONE
    has_projects = not view.project and len(shell.projects) > 1
    for issue in rows.page.rows:
        environments = rows.facts.environments.get(issue.id, []) if has_environments else []
        color = issue.project_id % COLORS + 1 if has_projects else None
        yield _row(issue, rows, query, environments, color, now_ms, messages)


def _row(
    issue: IssueRow,
    rows: ListRows,
    query: str,
    environments: Sequence[str],
    color: int | None,
    now_ms: int,
    messages: ListMessages,
) -> IssueLine:
    facts = rows.facts
    series = facts.series.get(issue.id, [])
    return IssueLine(
        href=issue_href(issue.short_id) + query,
        short_id=issue.short_id,
        status=issue.status,
        level=issue.level,
        error_type=issue.error_type,
        message=issue.message,
        where=where_of(issue)[:WHERE_CHARS_MAX],
        environment=environments[0] if environments else "",
        more_environments=max(0, len(environments) - 1),
        color=color,
        event_count=sum(count for _, count in series),
        trend=words.trend(facts.trends[issue.id]) if issue.id in facts.trends else "",
        users=_users(facts.users.get(issue.id)),
        first_seen_ms=issue.first_seen_ms,
        last_seen_ms=facts.last_seen.get(issue.id, issue.last_seen_ms),
        spark=spark_path(series, rows.scope.window),
        is_new=now_ms - issue.first_seen_ms < NEW_MS,
        is_firing=bool(issue.is_firing),
        assignee=issue.assignee_name or "",
        unseen=issue.id in facts.unseen,
        ticked=issue.short_id in messages.ticked,
        failed=messages.failed.get(issue.short_id, ""),
    )


def _users(known: UserCount | None) -> str:
    """`188`, `about 12,400`, `4,100+`; "" for none that is known."""
    if known is None or not (known.number or known.is_more):
        return ""
    return describe_users(known.number, is_estimate=known.is_estimate) + ("+" if known.is_more else "")


assert NEW_MS == DAY_MS, "the badge says a day"
