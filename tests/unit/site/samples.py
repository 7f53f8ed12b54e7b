"""A context of every page, built from a few values; the same with a text of one's own in every text field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any
from urllib.parse import urlencode

import orjson

from bloop.accounts.people.read import UserRow
from bloop.alerts.deliveries.read import AnnouncedRow
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base.clock import HOUR_MS
from bloop.db.walk import PageKey
from bloop.issues.aggregates import AggregateRow
from bloop.issues.comments.read import CommentRow
from bloop.issues.contexts import IssueListPage
from bloop.issues.counts.scope import CountScope
from bloop.issues.counts.scoped import ProjectSeries
from bloop.issues.counts.users import UserCount
from bloop.issues.detail import event_table
from bloop.issues.detail import pages as issue_detail
from bloop.issues.detail.activity import activity_of_all
from bloop.issues.detail.address import IssueAddress
from bloop.issues.detail.contexts import IssueActivityPage, IssueEventsPage, IssuePage, IssueTagsPage
from bloop.issues.detail.event_table import EventTableRows
from bloop.issues.detail.read import ActivityRows, FrameRows
from bloop.issues.events.read import EventRow
from bloop.issues.events.scoped import EventKey, ScopedEvents
from bloop.issues.events.search import EventMatches
from bloop.issues.listing import pages as issue_list
from bloop.issues.listing.first_event import setup
from bloop.issues.listing.pages import NO_MESSAGES, ListMessages
from bloop.issues.listing.pulse import Pulse
from bloop.issues.listing.read import ListPage
from bloop.issues.listing.state import IssueView, ListPlace
from bloop.issues.listing.tabs import TabCount
from bloop.issues.read import IssueRow, Tab
from bloop.issues.search import pages as search
from bloop.issues.search.found import FoundEvent
from bloop.issues.shell import make_shell
from bloop.issues.status.read import StatusChangeRow
from bloop.projects.read import ProjectRow
from bloop.site.appearance import AppearancePage, look_choices
from bloop.site.contexts import ErrorPage, Notice, Page, Shell, ViewLink
from bloop.site.kit_page import kit_samples
from bloop.site.look import Look
from bloop.site.scope import PageScope
from bloop.site.scope_bar import make_scope_bar
from bloop.site.settings_nav import APPEARANCE, LineState, SettingLine, SettingsGroup, settings_nav
from bloop.site.settings_overview import overview_page
from tests.unit.site.account_samples import account_pages
from tests.unit.site.alert_samples import alert_pages
from tests.unit.site.project_samples import project_pages
from tests.unit.site.storage_samples import storage_pages
from tests.unit.site.view_samples import saved_view_pages

NOW_MS = 1_768_737_600_000  # 2026-01-18 12:00:00 UTC
STACK = """\
TypeError: x is undefined
    at Cart.total (https://shop.example/cart.js:1:2)
    at render (https://shop.example/node_modules/react/index.js:3:4)
Caused by: Error: no cart
    at load (https://shop.example/cart.js:9:9)
    and something else"""

Text = Callable[[str], str]


def plain(text: str) -> str:
    return text


def json(value: Any) -> str:
    return orjson.dumps(value).decode()


def a_shell(say: Text = plain) -> Shell:
    rows = [
        ProjectRow(1, "p1", "shop", say("Shop"), "SHOP", 0, None),
        ProjectRow(2, "p2", "api", "API", "API", 0, None),
    ]
    return make_shell(say("operator"), rows, {1: 3}, lambda slug: IssueView(project=slug).href, "shop")


def an_issue(say: Text = plain, **changes: Any) -> IssueRow:
    row = IssueRow(
        id=7,
        project_id=1,
        project_public_id="p1",
        project_slug="shop",
        project_name=say("Shop"),
        short_id="SHOP-7",
        fingerprint="c6be5b205cdb4fae",
        fingerprint_algorithm="v1",
        kind="error",
        level="error",
        status="unresolved",
        error_type=say("TypeError"),
        message=say("x is undefined"),
        source="web",
        route=say("/cart"),
        screen=None,
        culprit=say("at Cart.total (https://shop.example/cart.js)"),
        event_count=340,
        user_count=1200,
        first_seen_ms=NOW_MS - HOUR_MS,
        last_seen_ms=NOW_MS - 60_000,
        first_release=say("1.0.0"),
        last_release=say("1.1.0"),
        times_regressed=2,
        resolved_at_ms=NOW_MS - 2 * HOUR_MS,
        resolved_in_release=say("1.0.5"),
        assignee="u1",
        assignee_username="ada",
        assignee_name=say("Ada"),
    )
    return row._replace(**changes)


def an_event(say: Text = plain, **changes: Any) -> EventRow:
    row = EventRow(
        id=99,
        issue_id=7,
        project_id=1,
        project_public_id="p1",
        fingerprint="c6be5b205cdb4fae",
        timestamp_ms=NOW_MS - 61_000,
        received_at_ms=NOW_MS - 60_000,
        source=say("web"),
        environment=say("production"),
        release=say("1.1.0"),
        level="error",
        error_type=say("TypeError"),
        message=say("x is undefined for user 7"),
        stack=STACK.replace("Cart.total", say("Cart.total")).replace("something else", say("something else")),
        route=say("/cart"),
        screen=say("Cart"),
        http_status=500,
        request_id=say("req_1"),
        user_id_hash=say("user"),
        device_id_hash=say("device"),
        app_version=say("5.9"),
        build_number=say("5907"),
        metadata=json({say("browser"): say("Chrome"), "cart": {"items": [1, say("two")]}}),
        event_id=None,
        parts=None,
    )
    return row._replace(**changes)


def list_page(
    say: Text = plain,
    view: IssueView | None = None,
    rows: list[IssueRow] | None = None,
    *,
    ever: bool = True,
    messages: ListMessages = NO_MESSAGES,
) -> IssueListPage:
    view = view or IssueView(
        project="shop", q=say("x"), release=say("1.1.0"), before=ListPlace(PageKey(1, "unresolved", 1), 30)
    )
    rows = (
        [an_issue(say), an_issue(say, id=8, status="regressed", level="fatal", user_count=0)] if rows is None else rows
    )
    scope = CountScope.of(view.scope, NOW_MS)
    series = [(NOW_MS - HOUR_MS, 3), (NOW_MS - 2 * HOUR_MS, 5785)]
    read = issue_list.ListRows(
        page=ListPage(rows, PageKey(5, "unresolved", 5) if rows else None, None, None, is_complete=not rows),
        facts=issue_list.RowFacts(
            series={7: series},
            users={7: UserCount(1200, is_more=True)},
            last_seen={},
            environments={7: [say("production"), say("staging")]},
            trends={7: 4200},
            unseen={7},
        ),
        scope=scope,
        counts={Tab.OPEN: TabCount(4), Tab.ALL: TabCount(10_000, is_more=True), Tab.MINE: TabCount(0)},
        total=TabCount(1322),
        new_in=say("1.1.0"),
        has_me=True,
        pulse=Pulse(
            ProjectSeries(scope.window, series), 4000, TabCount(3), 541, 12, [(say("1.1.0"), NOW_MS - HOUR_MS)]
        ),
        ever=ever,
        wider=[(IssueView(project="shop", q=say("x"), t="30d"), TabCount(3))] if not rows else [],
        page_rows=30,
        signal_id=57,
    )
    hint = setup("shop", say("Shop"), "https://errors.example")
    return issue_list.page(a_scoped_shell(say), view, read, hint, NOW_MS, messages)


def frame_rows(say: Text = plain, *, issue: IssueRow | None = None, has_events: bool = True) -> FrameRows:
    """What every page of an issue has read: 340 events, some of which have expired."""
    issue = issue or an_issue(say)
    change = StatusChangeRow(
        3, 7, 1, "p1", "f", "unresolved", "resolved", "u1", say("Ada"), say("api"), say("1.0.5"), NOW_MS - 2 * HOUR_MS
    )
    aggregate = AggregateRow(
        1,
        7,
        1,
        "p1",
        "f",
        "SHOP-7",
        say("1.1.0"),
        say("production"),
        "unresolved",
        340,
        0,
        NOW_MS,
        "",
        "",
        "",
        None,
        None,
    )
    keys = [EventKey(NOW_MS - 61_000 - n, 99 - n) for n in range(20)] if has_events else []
    return FrameRows(
        issue=issue,
        window=PageScope().window(NOW_MS),
        series=[(NOW_MS - HOUR_MS, 3), (NOW_MS - 9 * HOUR_MS, 30)],
        events=ScopedEvents(keys, 12, is_complete=True),
        aggregates=[
            aggregate._replace(release=f"{say('r')}{n}", environment=f"{say('env')}{n % 6}") for n in range(12)
        ],
        releases=[(say("1.1.0"), NOW_MS - 2 * HOUR_MS)],
        people=[UserRow("u1", "ada", say("Ada"), True, 0), UserRow("u2", "grace", say("Grace"), False, 0)],
        signal_id=57,
        comment_count=40,
        changes=[
            change,
            change._replace(changed_by=None, changed_by_name=None, new_status="regressed", changed_via="ingest"),
            change._replace(action="assigned", detail=json({"username": say("ada")}), network="192.0.2.0/24"),
            change._replace(detail=json({"after_release": say("1.0.4")})),
        ],
        announced=[
            AnnouncedRow(7, NOW_MS - 5, say("New issues"), "slack", say("hooks.slack.com")),
            AnnouncedRow(7, NOW_MS - 4, say("New issues"), "email", say("ops@example.com")),
        ],
    )


def activity_rows(frame: FrameRows, say: Text = plain) -> ActivityRows:
    comment = CommentRow(
        5, 7, "p1", "f", "u2", say("Grace"), "dashboard", say("I can **reproduce** it, *twice*. "), NOW_MS, None
    )
    comments = [
        comment,
        comment._replace(id=6, author="u1", author_name=None, via="api", edited_at_ms=NOW_MS, text=say("`x` & <b>")),
    ]
    return ActivityRows(frame.issue, frame.changes, frame.announced, comments, frame.comment_count)


def an_address(say: Text = plain) -> IssueAddress:
    scope = PageScope("shop", environment=say("production"))
    return IssueAddress("SHOP-7", scope, urlencode({"q": say("x"), "tab": "all"}))


def issue_page(
    say: Text = plain,
    event: EventRow | None = None,
    *,
    pruned: bool = False,
    outside: bool = False,
    address: IssueAddress | None = None,
    **changes: Any,
) -> IssuePage:
    event = None if pruned else event or an_event(say)
    frame = frame_rows(say, issue=an_issue(say, **changes), has_events=not (pruned or outside))
    tagged = [] if pruned or outside else [an_event(say), an_event(say, environment=say("qa"), metadata='{"plan":1}')]
    rows = issue_detail.EventRows(event, tagged, activity_rows(frame, say))
    shell = a_scoped_shell(say, "/issues/SHOP-7")
    return issue_detail.event_page(shell, frame, rows, address or an_address(say), "u2", NOW_MS)


def issue_events_page(
    say: Text = plain, table: EventTableRows | None = None, q: str = "", *, empty: bool = False
) -> IssueEventsPage:
    rows = [] if empty else [an_event(say), an_event(say, id=98, request_id=None, user_id_hash=None, route=None)]
    table = table or EventTableRows(rows, "1–2 of 340 events", next="5.5", previous="")
    shell = a_scoped_shell(say, "/issues/SHOP-7/events")
    return event_table.events_page(shell, frame_rows(say), table, q, an_address(say), "u2", NOW_MS)


def issue_tags_page(say: Text = plain, *, empty: bool = False) -> IssueTagsPage:
    tagged = [] if empty else [an_event(say), an_event(say, metadata=json({say("k"): [say("a"), say("b") * 90]}))]
    shell = a_scoped_shell(say, "/issues/SHOP-7/tags")
    return issue_detail.tags_page(shell, frame_rows(say), tagged, an_address(say), "u2", NOW_MS)


def issue_activity_page(say: Text = plain, page: int = 0) -> IssueActivityPage:
    frame, address = frame_rows(say), an_address(say)
    rows = activity_rows(frame, say)
    shell = a_scoped_shell(say, "/issues/SHOP-7/activity")
    return activity_of_all(shell, frame, rows, address, "u2", page, NOW_MS)


def a_scoped_shell(say: Text = plain, path: str = "/") -> Shell:
    scope = PageScope("shop", environment=say("production"), range="7d")
    bar = make_scope_bar(
        scope,
        path,
        {"q": say("route:/cart"), "before": "1.unresolved.1"},
        environments=[say("staging")],
        releases=[say("1.1.0")],
        now_ms=NOW_MS,
    )
    views = (ViewLink(say("Checkout"), "/?q=checkout", current=False),)
    return dataclasses.replace(a_shell(say), scope=bar, views=views, alerts_failed=2)


def appearance_page(say: Text = plain) -> Page:
    nav = settings_nav(APPEARANCE, is_admin=True)
    return AppearancePage(a_shell(say), nav, look_choices(Look(theme="dark")))


def settings_overview(say: Text = plain) -> Page:
    lines = [
        SettingLine(SettingsGroup.YOU, 10, "user", "Account", say("ada, admin"), "/settings/account"),
        SettingLine(
            SettingsGroup.PROJECT, 10, "box", "General", say("Issues are named SHOP-1"), "/settings/projects/shop"
        ),
        SettingLine(SettingsGroup.SERVER, 20, "data", "Backups", say("failed"), "/settings/storage", LineState.BAD),
        SettingLine(SettingsGroup.SERVER, 10, "disk", "Storage", say("full"), "/settings/storage", LineState.WARN),
    ]
    shell = a_shell(say)
    user = Principal(PrincipalKind.USER, "u1", say("ada"), None, frozenset(), is_admin=True)
    return overview_page(shell, user, shell.current, lines, Look())


def kit_page(say: Text = plain) -> Page:
    return kit_samples(a_scoped_shell(say, "/kit"), PageScope().window(NOW_MS))


def search_pages(say: Text = plain) -> Iterator[Page]:
    """Events, none of them, one that lies elsewhere, a search that stopped, and one that cannot be read."""
    shell, scope, q = a_scoped_shell(say, "/search"), PageScope("shop", range="24h"), say("request:r-1")
    bare = an_event(say, request_id=None, user_id_hash=None, http_status=None)
    found = [FoundEvent(an_event(say), an_issue(say)), FoundEvent(bare, an_issue(say))]
    matches = EventMatches([found[0].event, found[1].event], 99, 3, is_complete=True)
    nothing = EventMatches([], None, 0, is_complete=True)
    yield search.page(shell, scope, q, found=found, matches=matches, after=120)
    yield search.page(shell, scope, q, matches=nothing)
    yield search.page(shell, scope, q, matches=nothing, outside_ms=NOW_MS)
    yield search.page(shell, scope, q, matches=EventMatches([], 7, 50_000, is_complete=False))
    yield search.page(shell, scope, q, problem=say("Unknown status 'x'. Try open."))


def every_page(say: Text = plain) -> Iterator[Page]:
    """Each page in each of its states."""
    yield from search_pages(say)
    yield list_page(say)
    yield list_page(say, IssueView(), [], ever=False)
    yield list_page(say, IssueView(q=say("x")), [])
    yield list_page(say, IssueView(), [])
    yield list_page(say, IssueView(tab=Tab.MUTED), [])
    yield list_page(say, IssueView(tab=Tab.FIRING), [an_issue(say, status="resolved", is_firing=1)])
    yield list_page(
        say, IssueView(q=say("is:x")), [], messages=ListMessages(problem=say("Unknown status 'x'. Try open."))
    )
    failed = Notice(say("1 not: no issue has this id"), failed=True)
    yield list_page(say, messages=ListMessages(notice=failed, ticked=("SHOP-7",), failed={"SHOP-7": say("gone")}))
    yield list_page(
        say, IssueView(tab=Tab.ALL), messages=ListMessages(notice=Notice("2 issues resolved.", failed=False))
    )
    yield issue_page(say)
    yield issue_page(say, status="resolved", is_firing=1, resolved_in_next=1)
    yield issue_page(say, status="muted", muted_events=100, assignee=None, assignee_name=None)
    yield issue_page(say, pruned=True)
    yield issue_page(say, an_event(say, stack=say("no frames in here"), metadata=None))
    yield issue_page(say, an_event(say, stack=None, metadata=f'"{"x"}"'))
    yield issue_page(say, outside=True)
    yield issue_page(say, status="ignored", address=IssueAddress("SHOP-7", PageScope("shop", range="30d")))
    yield issue_events_page(say)
    yield issue_events_page(say, q=say("user:x"), empty=True)
    yield issue_events_page(say, EventTableRows([], "", problem=say("Unknown filter")), say("x:y"))
    yield issue_tags_page(say)
    yield issue_tags_page(say, empty=True)
    yield issue_activity_page(say)
    yield issue_activity_page(say, page=1)
    yield from account_pages(a_shell(say), say)
    yield from project_pages(a_shell(say), say, an_issue(say))
    yield from alert_pages(a_shell(say), say)
    yield from storage_pages(a_shell(say), say)
    yield from saved_view_pages(a_shell(say), say)
    yield appearance_page(say)
    yield settings_overview(say)
    yield kit_page(say)
    yield ErrorPage(404, "Not found", say("There is nothing here"))


def texts_of(value: Any) -> Iterator[str]:
    """Every string inside a context."""
    if isinstance(value, Enum):
        return
    if isinstance(value, str):
        yield value
    elif dataclasses.is_dataclass(value):
        for f in dataclasses.fields(value):
            yield from texts_of(getattr(value, f.name))
    elif isinstance(value, dict):
        for item in value.items():
            yield from texts_of(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts_of(item)
