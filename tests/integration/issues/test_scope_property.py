"""Every number of the list equals an independent count over the same events (SCOPE-1, COUNTS-1 to COUNTS-3, MEMBER-1,
TABS-1, RANK-1): random events, scopes, statuses, tabs and orders, stored by the writer's code and read page by page."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS, hour_of
from bloop.base.config import Ingest
from bloop.db import connection
from bloop.features import make_kinds
from bloop.grouping.fingerprint_v1 import ALGORITHM
from bloop.ingest.dialects.native_event import parse_event
from bloop.ingest.limits import Limits
from bloop.issues.contexts import IssueLine, IssueListPage
from bloop.issues.counts.scope import CountScope
from bloop.issues.listing import page_read, ranked
from bloop.issues.listing import pages as issue_list
from bloop.issues.listing.model import Sort, Tab
from bloop.issues.listing.page_read import read_list
from bloop.issues.listing.ranked import trend_of
from bloop.issues.listing.state import TABS, IssueView
from bloop.issues.search import conditions
from bloop.issues.shell import make_shell
from bloop.pipeline.store import Store
from bloop.projects.read import list_projects
from bloop.records.record import EVENT_FORM, encode_event
from bloop.site.scope import Window
from tests.seed import Seed

NOW_MS = 1_800_000_000_000 + 37 * MINUTE_MS + 12_345
PAGE_ROWS = 4
ENVIRONMENTS, RELEASES = ("production", "staging"), ("1.0", "2.0", "2.1")
STATUSES = ("unresolved", "regressed", "resolved", "muted", "ignored")
ME = "id-of-ada"
PROJECTS = ("shop", "api")


@dataclass(frozen=True)
class SentEvent:
    project: int  # of PROJECTS
    issue: int
    received_at_ms: int
    lag_ms: int
    environment: str
    release: str
    user: str | None


# Close to the edges of the ranges, in the minutes around now, and anywhere in seven weeks.
AGES = st.one_of(
    st.sampled_from([HOUR_MS, DAY_MS, 7 * DAY_MS, 30 * DAY_MS]).flatmap(
        lambda span: st.integers(max(0, span - 2 * HOUR_MS), span + 2 * HOUR_MS)
    ),
    st.integers(0, 3 * HOUR_MS),
    st.integers(0, 49 * DAY_MS),
)
EVENTS = st.lists(
    st.builds(
        SentEvent,
        project=st.integers(0, 1),
        issue=st.integers(0, 8),
        received_at_ms=AGES.map(lambda age: NOW_MS - age),
        lag_ms=st.one_of(st.just(0), st.integers(-50_000, 2 * DAY_MS)),
        environment=st.sampled_from(ENVIRONMENTS),
        release=st.sampled_from(RELEASES),
        user=st.sampled_from([None, "u1", "u2", "u3", "u4"]),
    ),
    min_size=10,
    max_size=90,
)
# Windows that are over lie anywhere within nine days, to the minute, or anywhere at all.
CUSTOM = st.tuples(st.integers(0, 20 * 24 * 60), st.integers(1, 3 * 24 * 60)).map(
    lambda ago: f"{_minute(NOW_MS - (ago[0] + ago[1]) * MINUTE_MS)}..{_minute(NOW_MS - ago[0] * MINUTE_MS)}"
)
VIEWS = st.builds(
    IssueView,
    project=st.sampled_from(["", "", *PROJECTS]),
    env=st.sampled_from(["", "", *ENVIRONMENTS]),
    release=st.sampled_from(["", "", *RELEASES]),
    t=st.one_of(st.sampled_from(["1h", "24h", "7d", "30d"]), CUSTOM),
    tab=st.sampled_from([*[Tab.ALL] * 8, *Tab]),  # longer lists, so that there are several pages
    sort=st.sampled_from(Sort),
)


def _minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M")


@dataclass(frozen=True)
class State:
    status: str
    is_firing: bool
    is_mine: bool


STATES = st.lists(
    st.builds(
        lambda status, firing, mine: State(status, firing and status == "resolved", mine),
        st.sampled_from(STATUSES),
        st.booleans(),
        st.booleans(),
    ),
    min_size=18,
    max_size=18,
)


class Model:
    """The same in plain Python: what was sent, and counting."""

    def __init__(self, events: list[SentEvent], states: list[State]) -> None:
        self.events = sorted(events, key=lambda event: event.received_at_ms)
        self.states = states

    def state(self, issue: tuple[int, int]) -> State:
        return self.states[issue[0] * 9 + issue[1]]

    def of(self, issue: tuple[int, int]) -> list[SentEvent]:
        return [event for event in self.events if (event.project, event.issue) == issue]

    def projects(self, view: IssueView) -> tuple[int, ...]:
        return tuple(n for n, slug in enumerate(PROJECTS) if view.project in ("", slug))

    def within(self, view: IssueView, window: Window) -> list[SentEvent]:
        return [
            event
            for event in self.events
            if event.project in self.projects(view)
            and window.from_ms <= event.received_at_ms < window.to_ms
            and view.env in ("", event.environment)
            and view.release in ("", event.release)
        ]

    def new_in(self, view: IssueView) -> str:
        if view.release or not view.project:
            return view.release
        first: dict[str, int] = {}
        for event in self.events:
            if event.project in self.projects(view):
                first.setdefault(event.release, event.received_at_ms)
        return max(first, key=lambda release: (first[release], release), default="")

    def is_on(self, tab: Tab, issue: tuple[int, int], new_in: str) -> bool:
        state = self.state(issue)
        is_open = state.status in ("unresolved", "regressed")
        if tab is Tab.NEW:
            return self.of(issue)[0].release == new_in
        return {
            Tab.ALL: True,
            Tab.OPEN: is_open,
            Tab.MINE: is_open and state.is_mine,
            Tab.FIRING: state.is_firing,
        }.get(tab, state.status == tab.value)

    def issues(self, view: IssueView, window: Window, tab: Tab) -> dict[tuple[int, int], list[SentEvent]]:
        """The issues of the list with their events in scope."""
        found: dict[tuple[int, int], list[SentEvent]] = {}
        for event in self.within(view, window):
            found.setdefault((event.project, event.issue), []).append(event)
        new_in = self.new_in(view)
        return {issue: events for issue, events in found.items() if self.is_on(tab, issue, new_in)}


def store(db: apsw.Connection, project_ids: list[int], model: Model) -> None:
    kept, limits = Store(db, 1, make_kinds(db)), Limits.of(Ingest())
    records = []
    for event in model.events:
        body: dict[str, Any] = {
            "timestamp": (event.received_at_ms - event.lag_ms) // 1000,
            "source": "api",
            "environment": event.environment,
            "release": event.release,
            "error_type": f"Error{event.issue}",
            "message": f"of {event.issue}",
        }
        if event.user is not None:
            body["user_id_hash"] = event.user
        parsed, _ = parse_event(body, limits, event.received_at_ms)
        fingerprint = f"{event.issue:016x}"
        payload = encode_event(project_ids[event.project], event.received_at_ms, fingerprint, ALGORITHM, parsed)
        records.append((EVENT_FORM, payload, 0))
    for start in range(0, len(records), 13):
        kept.store(records[start : start + 13], {0: start}, (), now_ms=NOW_MS)


def set_states(db: apsw.Connection, project_ids: list[int], model: Model) -> None:
    for project, project_id in enumerate(project_ids):
        for issue in range(9):
            state = model.state((project, issue))
            db.execute(
                "UPDATE issues SET status = ?, is_firing = ?, assignee = ? WHERE project_id = ? AND fingerprint = ?",
                (state.status, state.is_firing, ME if state.is_mine else None, project_id, f"{issue:016x}"),
            )


@contextmanager
def filled(model: Model) -> Iterator[tuple[apsw.Connection, list[int]]]:
    with tempfile.TemporaryDirectory() as folder:
        seed = Seed(Path(folder) / "bloop.db")
        seed.db.execute("INSERT INTO webauthn_users VALUES (?, 'ada', 'Ada', 0, 0)", (ME,))
        project_ids = [seed.project(slug) for slug in PROJECTS]
        seed.close()
        db = connection.open_writer(Path(folder) / "bloop.db")
        try:
            store(db, project_ids, model)
            with db:
                set_states(db, project_ids, model)
            yield db, project_ids
        finally:
            db.close()


def read_page(db: apsw.Connection, project_ids: tuple[int, ...], view: IssueView) -> IssueListPage:
    shell = make_shell("ada", list_projects(db, None), {}, lambda slug: f"/?project={slug}", view.project)
    rows = read_list(db, project_ids, view, ME, NOW_MS, is_readable=True)
    return issue_list.page(shell, view, rows, None, NOW_MS)


def walk(db: apsw.Connection, project_ids: tuple[int, ...], view: IssueView) -> list[IssueListPage]:
    """All pages down, and the way up again leads to the same."""
    down = [read_page(db, project_ids, view)]
    while down[-1].older_href:
        down.append(read_page(db, project_ids, _view(down[-1].older_href)))
        assert len(down) < 40
    for above, below in pairwise(down):
        up = read_page(db, project_ids, _view(below.newer_href))
        assert [row.short_id for row in up.rows] == [row.short_id for row in above.rows]
        assert up.place == above.place
    return down


def _view(href: str) -> IssueView:
    return IssueView.from_params(dict(parse_qsl(urlsplit(href).query)))


@pytest.mark.parametrize("candidates_max", [5000, -1], ids=["few", "many"])
@settings(max_examples=60, deadline=None, report_multiple_bugs=False)
@given(events=EVENTS, states=STATES, views=st.lists(VIEWS, min_size=8, max_size=8))
def test_every_number_equals_a_count_over_the_same_events(
    candidates_max: int, events: list[SentEvent], states: list[State], views: list[IssueView]
) -> None:
    model = Model(events, states)
    with (
        filled(model) as (db, project_ids),
        mock.patch.object(page_read, "PAGE_ROWS", PAGE_ROWS),
        mock.patch.object(ranked, "CHUNKS", (2, 3)),
        mock.patch.object(conditions, "CANDIDATES_MAX", candidates_max),
    ):
        for view in views:
            visible = tuple(project_ids[n] for n in model.projects(view))
            check(model, view, walk(db, visible, view), project_ids)


def check(model: Model, view: IssueView, pages: list[IssueListPage], project_ids: list[int]) -> None:
    scope = CountScope.of(view.scope, NOW_MS)
    expected = model.issues(view, scope.window, view.tab)
    if view.tab is Tab.NEW and not model.new_in(view):
        expected = {}
    rows = [row for page in pages for row in page.rows]
    issue_of = {row.short_id: issue for row in rows for issue in [_issue(row)]}

    assert sorted(issue_of.values()) == sorted(expected)
    assert len(rows) == len(expected)
    for row in rows:
        check_row(model, view, scope, row, expected[issue_of[row.short_id]])
    check_order(model, view, scope, rows, expected)
    for number, page in enumerate(pages):
        if page.rows:
            first = number * PAGE_ROWS + 1
            assert page.place == f"{first}–{first + len(page.rows) - 1} of {len(expected)}"
    check_tabs(model, view, scope.window, pages[0])
    check_pulse(model, view, scope, pages[0])


def _issue(row: IssueLine) -> tuple[int, int]:
    return PROJECTS.index(row.short_id.partition("-")[0].lower()), int(row.error_type.removeprefix("Error"))


def check_row(model: Model, view: IssueView, scope: CountScope, row: IssueLine, events: list[SentEvent]) -> None:
    users = {event.user for event in events} - {None}
    last_ms = max(event.received_at_ms for event in events)
    everything = model.of(_issue(row))

    assert row.event_count == len(events)
    assert row.users == (str(len(users)) if users else "")
    assert row.first_seen_ms == everything[0].received_at_ms
    if scope.window.is_running:
        assert row.last_seen_ms == last_ms
    else:
        assert hour_of(last_ms) <= row.last_seen_ms <= last_ms
    assert (row.spark != "") == bool(events)
    assert row.status == model.state(_issue(row)).status
    assert row.is_new == (NOW_MS - row.first_seen_ms < DAY_MS)
    assert (row.trend != "") == (view.sort is Sort.TREND)


def check_order(
    model: Model,
    view: IssueView,
    scope: CountScope,
    rows: list[IssueLine],
    expected: dict[tuple[int, int], list[SentEvent]],
) -> None:
    earlier = model.within(view, scope.before(NOW_MS).window)

    def value(row: IssueLine) -> int:
        issue = _issue(row)
        before = sum((event.project, event.issue) == issue for event in earlier)
        return {
            Sort.LAST_SEEN: row.last_seen_ms,
            Sort.FIRST_SEEN: row.first_seen_ms,
            Sort.EVENTS: len(expected[issue]),
            Sort.USERS: len({event.user for event in expected[issue]} - {None}),
            Sort.TREND: trend_of(len(expected[issue]), before),
        }[view.sort]

    values = [value(row) for row in rows]
    assert values == sorted(values, reverse=True)


def check_tabs(model: Model, view: IssueView, window: Window, page: IssueListPage) -> None:
    new_in = model.new_in(view)
    shown = [tab for tab in TABS if tab is not Tab.NEW or new_in or view.tab is Tab.NEW]

    assert len(page.tabs) == len(shown)
    for tab, link in zip(shown, page.tabs, strict=True):
        if tab is Tab.NEW and not new_in:
            continue
        assert (link.count, link.is_more) == (len(model.issues(view, window, tab)), False), tab


def check_pulse(model: Model, view: IssueView, scope: CountScope, page: IssueListPage) -> None:
    events = model.within(view, scope.window)
    issues = {(event.project, event.issue) for event in events}
    new = [issue for issue in issues if model.of(issue)[0].received_at_ms >= scope.window.from_ms]
    if not scope.has_names:
        new = [issue for issue in new if model.of(issue)[0].received_at_ms < scope.window.to_ms]
    users = {event.user for event in events} - {None}
    numbers = {number.label: number for number in page.numbers}

    assert numbers["Events"].value == str(len(events))
    assert page.strip.total == len(events)
    assert numbers["New issues"].value == str(len([i for i in new if _began_inside(model, i, scope.window)]))
    if "Users affected" in numbers:
        assert numbers["Users affected"].value == str(len(users))
    before = len(model.within(view, scope.before(NOW_MS).window))
    assert numbers["Events"].is_bad == (len(events) > before)


def _began_inside(model: Model, issue: tuple[int, int], window: Window) -> bool:
    return window.from_ms <= model.of(issue)[0].received_at_ms < window.to_ms
