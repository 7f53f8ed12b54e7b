"""What a list says in words: its tabs, its place, why it is empty. Pure."""

from __future__ import annotations

from bloop.issues.contexts import Empty, EmptyState, WiderScope
from bloop.issues.events.walk import SCANNED_MAX
from bloop.issues.listing.model import Tab
from bloop.issues.listing.ranked import EXAMINED_MAX, TREND_UNIT
from bloop.issues.listing.read import ListPage
from bloop.issues.listing.state import IssueView
from bloop.issues.listing.tabs import TabCount

UNREADABLE = EmptyState(Empty.UNREADABLE, "Invalid search", "The reason is shown below the search box.")
NEVER = EmptyState(Empty.NEVER, "Waiting for the first event")
NO_PROJECT = EmptyState(
    Empty.NO_PROJECT, "No project yet", "Create one on the server. Its key lets applications send events."
)
_LABELS = {Tab.FIRING: "Still firing"}
_RANGES = {"1h": "the last hour", "24h": "the last 24 h", "7d": "the last 7 d", "30d": "the last 30 d"}
_NOTHING = {
    Tab.OPEN: "No open issues",
    Tab.MINE: "No open issues assigned to you",
    Tab.FIRING: "No resolved issue is still firing",
    Tab.ALL: "No issues",
}
_OTHERS = {
    Tab.OPEN: "resolved, muted or ignored issues",
    Tab.UNRESOLVED: "issues with another status",
    Tab.NEW: "issues that are older than it",
}


def tab(name: Tab, new_in: str = "") -> str:
    """The label of a tab."""
    if name is Tab.NEW:
        return f"New in {new_in}" if new_in else "New in the latest release"
    return _LABELS.get(name, name.value.capitalize())


def count(counted: TabCount) -> str:
    """`1,322`, or `10,000+`."""
    return f"{counted.number:,}{'+' if counted.is_more else ''}"


def place(start: int, rows: int, total: TabCount) -> str:
    """`31–60 of 1,322`: which rows a page shows."""
    last = start + rows
    if last > total.number and not total.is_more:  # issues came or went since the first page
        total = TabCount(last)
    return f"{start + 1:,}–{last:,} of {count(total)}"


def trend(thousandths: int) -> str:
    """`4.2×`, `0.3×`, `120×`."""
    factor = thousandths / TREND_UNIT
    return f"{factor:,.0f}×" if factor >= 10 else f"{factor:.1f}×"


def limits(page: ListPage) -> str:
    """What bounds left out of a page; "" when it is whole."""
    found = []
    if not page.is_complete:
        found.append(f"In the order of the first {EXAMINED_MAX:,} issues that were looked at.")
    if not page.has_all_found:
        found.append(f"More issues may match: the search looked at the newest {SCANNED_MAX:,} events.")
    return " ".join(found)


def time_range(view: IssueView) -> str:
    """`the last 24 h`, or `this range`."""
    return _RANGES.get(view.t, "this range")


def empty(view: IssueView, new_in: str, events: int, wider: tuple[WiderScope, ...]) -> EmptyState:
    """Why a list is empty whose scope, tab and filters fit no issue; `events` arrived in its scope."""
    if view.filters:
        return EmptyState(Empty.SCOPE, "No matches", f"No issue here fits the search in {time_range(view)}.", wider)
    if view.tab is Tab.NEW and not new_in:
        return EmptyState(Empty.SCOPE, "New in the latest release", "Choose a project: each has a release of its own.")
    title = _NOTHING.get(view.tab) or f"No {view.tab} issues"
    if view.tab is Tab.NEW:
        title = f"No new issues in {new_in}"
    if view.env:
        title += f" in {view.env}"
    if view.release and view.tab is not Tab.NEW:
        title += f" on {view.release}"
    if not events:
        return EmptyState(Empty.SCOPE, title, f"No events arrived in {time_range(view)}.", wider)
    arrived = "1 event" if events == 1 else f"{events:,} events"
    others = _OTHERS.get(view.tab, "other issues")
    return EmptyState(Empty.SCOPE, title, f"{arrived} arrived in {time_range(view)}, from {others}.", wider)


def wider(view: IssueView, other: IssueView) -> str:
    """In which way another list is wider than this one: `All releases, last 7 d`."""
    if other.filters != view.filters:
        return "Without the search"
    ways = []
    if other.env != view.env:
        ways.append("all environments")
    if other.release != view.release:
        ways.append("all releases")
    if other.t != view.t:
        ways.append(_RANGES[other.t].removeprefix("the "))
    words = ", ".join(ways) or "all issues"
    return words[0].upper() + words[1:]
