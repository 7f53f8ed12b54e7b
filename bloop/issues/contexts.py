"""The contexts of the issue list and what it shares with the pages of an issue (CONTEXT-1 to CONTEXT-3 in
site/contexts.py)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from bloop.base.clock import DAY_MS
from bloop.issues.listing.state import IssueView
from bloop.issues.status.model import OPEN, Status
from bloop.site.charts import Chart
from bloop.site.contexts import RING_FILL_HIGH, Badge, Notice, Option, Page, Shell, TabLink

NEW_MS = DAY_MS  # an issue is new for a day

# The issue list -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FilterSelect:
    """A select of the filter bar; its first option is "any"."""

    name: str
    label: str
    active: bool
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force, and the link that takes it away."""

    label: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class ListStats:
    """`ring_fill` is 0.0–1.0, None while no ring exists; `dropped_24h` counts events refused for want of room."""

    issues: int
    unresolved: int
    events_24h: int
    ring_fill: float | None
    dropped_24h: int

    @property
    def ring_fill_high(self) -> bool:
        return self.ring_fill is not None and self.ring_fill > RING_FILL_HIGH

    @property
    def ring_width(self) -> float:
        """Of the gauge, in percent."""
        return round((self.ring_fill or 0.0) * 100, 1)


@dataclass(frozen=True, slots=True)
class IssueLine:
    """One line of the list."""

    href: str
    short_id: str
    status: str
    level: str
    error_type: str
    message: str
    where: str
    release: str
    event_count: int
    user_count: int
    users: str  # the same in words: `about 12,400`
    first_seen_ms: int
    last_seen_ms: int
    spark: str
    events_24h: int
    is_new: bool
    is_firing: bool
    assignee: str
    ticked: bool
    failed: str  # why an action did not take it, "" when it did or there was none

    @property
    def mark(self) -> str:
        """Its icon: the level of an open issue, else the status."""
        return self.level if self.status in OPEN else self.status

    @property
    def mark_label(self) -> str:
        return f"{self.status}, {self.level}"

    @property
    def badges(self) -> tuple[Badge, ...]:
        return badges_of(self.status, self.is_new, self.is_firing)


class Empty(StrEnum):
    """Why a list has no rows. Each has words of its own."""

    NEVER = "never"  # nothing has ever arrived
    FILTERED = "filtered"  # the filters match nothing
    UNREADABLE = "unreadable"  # the search cannot be understood
    CAUGHT_UP = "caught_up"  # no open issues
    TAB = "tab"  # nothing in this status


@dataclass(frozen=True, slots=True)
class Setup:
    """How to send the first event to `project`. The key is never part of a page; `key_command` prints one."""

    project: str
    page_href: str
    ingest_url: str
    key_note: str
    key_command: str
    script: str


@dataclass(frozen=True, slots=True)
class IssueListPage(Page):
    """`/`: issues of one project or of all, filtered, ordered, a page at a time.

    `rows` is empty exactly when `empty` says why; `setup` is there when nothing has ever arrived. `older_href` and
    `newer_href` are empty at the ends. `problem` is what is wrong with the search, `actions` what can be done to the
    ticked rows, `more_actions` the rest of it, `signal_id` the last signal that this page knows of. `deleting`
    counts deleted issues that background work still removes, at least so many if `deleting_is_more`; `delete_href` asks
    about all that match.
    """

    template: ClassVar[str] = "issues/issues.html"

    shell: Shell
    now_ms: int
    view: IssueView
    tabs: tuple[TabLink, ...]
    choices: tuple[FilterSelect, ...]
    chips: tuple[Chip, ...]
    sorts: tuple[Option, ...]
    stats: ListStats
    trend: Chart
    problem: str
    notice: Notice | None
    actions: tuple[Action, ...]
    more_actions: tuple[Action, ...]
    signal_id: int
    rows: tuple[IssueLine, ...]
    empty: Empty | None
    setup: Setup | None
    deleting: int
    deleting_is_more: bool
    delete_href: str
    older_href: str
    newer_href: str


@dataclass(frozen=True, slots=True)
class DeletePage(Page):
    """`/issues/delete`: asks before issues are deleted, those in `references` or all of a list.

    `query` describes the list, `filters` and `tab` say it in words. `count` is exact unless `is_more`; `events` is None
    where it was not counted.
    """

    template: ClassVar[str] = "issues/delete.html"

    shell: Shell
    references: tuple[str, ...]
    count: int
    is_more: bool
    events: int | None
    filters: tuple[tuple[str, str], ...]
    tab: str
    query: str
    back_href: str


# Actions and badges -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Action:
    """A button that changes the status: what it posts, what it says, whether it is the likely next step.

    What it posts may say how, as `muted.1d` (issues/status/choices.py).
    """

    status: str
    label: str
    key: str
    icon: str
    primary: bool
    hint: str


_RESOLVE = Action(
    Status.RESOLVED, "Resolve", "r", Status.RESOLVED, True, "Fixed and deployed. It comes back if it happens again."
)
_MUTE = Action(Status.MUTED, "Mute", "m", Status.MUTED, False, "Keep counting, send no alerts for now.")
_IGNORE = Action(
    Status.IGNORED, "Ignore", "i", Status.IGNORED, False, "Keep counting, never alert: known and not worth fixing."
)
_NEXT = Action(
    "resolved.next", "Resolve in the next release", "", Status.RESOLVED, False, "Releases known today are not it."
)
_MUTE_HOUR = Action("muted.1h", "Mute for an hour", "", Status.MUTED, False, "")
_MUTE_DAY = Action("muted.1d", "Mute for a day", "", Status.MUTED, False, "")
_MUTE_WEEK = Action("muted.1w", "Mute for a week", "", Status.MUTED, False, "")
MUTES = (_MUTE_HOUR, _MUTE_DAY, _MUTE_WEEK)  # for how long an issue can be muted, beside for good
_REOPEN = Action(Status.UNRESOLVED, "Reopen", "o", Status.REGRESSED, True, "Back to the open issues.")


def actions_of(is_open: bool | None) -> tuple[Action, ...]:
    """The actions for issues that are open, that are not, or of which that is unknown (None)."""
    triage = () if is_open is False else (_RESOLVE, _MUTE, _IGNORE)
    return triage if is_open else (*triage, _REOPEN)


def more_actions_of(is_open: bool | None) -> tuple[Action, ...]:
    """Further actions for many issues at once."""
    return () if is_open is False else (_NEXT, _MUTE_DAY, _MUTE_WEEK)


def badges_of(status: str, is_new: bool, is_firing: bool) -> tuple[Badge, ...]:
    """The words beside a title. An unresolved issue that is not new has none: that is the normal case."""
    found = []
    if status == Status.REGRESSED:
        found.append(Badge(Status.REGRESSED, "Regressed", "It was resolved and happened again"))
    elif status != Status.UNRESOLVED:
        found.append(Badge(status, status.capitalize(), f"Status: {status}"))
    if is_firing:
        found.append(Badge("firing", "Still firing", "Releases from before the fix still send it"))
    if is_new:
        found.append(Badge("new", "New", "First seen less than 24 hours ago"))
    return tuple(found)
