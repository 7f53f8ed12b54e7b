"""The contexts of the issue list and what it shares with the pages of an issue (CONTEXT-1 to CONTEXT-3 in
site/contexts.py)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from bloop.base.clock import DAY_MS
from bloop.issues.listing.state import IssueView
from bloop.issues.status.model import OPEN, Status
from bloop.site.contexts import Badge, Notice, Option, Page, PulseNumber, Shell, TabLink
from bloop.site.strip import Strip

NEW_MS = DAY_MS  # an issue is new for a day

# The issue list -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force, and the link that takes it away."""

    label: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class SortLink:
    """A heading that orders the list, the highest first; `hint` says by what."""

    label: str
    href: str
    current: bool
    hint: str = ""


@dataclass(frozen=True, slots=True)
class IssueLine:
    """One line of the list. Events, users, the sparkline and last seen are those of the scope.

    `environment` is empty where it would say what the scope says already; `color` numbers the project where there are
    several, else it is None.
    """

    href: str
    short_id: str
    status: str
    level: str
    error_type: str
    message: str
    where: str
    environment: str
    more_environments: int  # besides that one
    color: int | None
    event_count: int
    trend: str  # `4.2×`, in a list in that order
    users: str  # in words: `188`, `about 12,400`, `10,000+`; "" when none is known
    first_seen_ms: int
    last_seen_ms: int
    spark: str
    is_new: bool
    is_firing: bool
    assignee: str
    unseen: bool
    ticked: bool
    failed: str  # why an action did not take it, "" when it did or there was none

    @property
    def mark(self) -> str:
        """Its icon: the level of an open issue, else what stands for the status."""
        if self.status in OPEN:
            return {"debug": "off"}.get(self.level, self.level)
        return "good" if self.status == Status.RESOLVED else "off"

    @property
    def mark_label(self) -> str:
        """An open issue has its status in a badge, if at all."""
        words = self.level if self.status in OPEN else f"{self.status}, {self.level}"
        return f"{words}, unseen" if self.unseen else words

    @property
    def badges(self) -> tuple[Badge, ...]:
        found = badges_of(self.status, self.is_new, self.is_firing)
        # What is firing is resolved: the word for that alone says both.
        return tuple(
            replace(badge, kind=_LOOKS.get(badge.kind, ""))
            for badge in found
            if not (self.is_firing and badge.kind == Status.RESOLVED)
        )


_LOOKS = {Status.REGRESSED: "back", Status.RESOLVED: "good", "firing": "bad", "new": "new"}  # of badges, in the kit


class Empty(StrEnum):
    """Why a list has no rows."""

    NEVER = "never"  # nothing has ever arrived
    NO_PROJECT = "no_project"
    UNREADABLE = "unreadable"  # the search cannot be understood
    SCOPE = "scope"  # nothing on this tab, in this scope, with these filters


@dataclass(frozen=True, slots=True)
class WiderScope:
    """A list that has rows where this one has none: `name` is what it leaves out or adds, `count` how many it has."""

    name: str
    count: str
    href: str


@dataclass(frozen=True, slots=True)
class EmptyState:
    """What is empty, why, and where there is something."""

    kind: Empty
    title: str
    text: str = ""
    wider: tuple[WiderScope, ...] = ()


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
    """`/`: issues with an event in scope, filtered, ordered, a page at a time.

    `rows` is empty exactly when `empty` says why; `setup` is there when nothing has ever arrived. `older_href` and
    `newer_href` are empty at the ends. `problem` is what is wrong with the search, `actions` what can be done to the
    ticked rows, `more_actions` the rest of it, `signal_id` the last signal that this page knows of. `place` says which
    rows these are: `1–30 of 1,322`; `matching` is the number of all of them where that is more than the page has.
    `limits` says what is not on it because looking had to end. `deleting` counts deleted issues that background work
    still removes, at least so many if `deleting_is_more`; `delete_href` asks about all that match. `people` are whom
    issues can be assigned to; `has_me` when the visitor is one of them. `save_query` is the list to save as a view,
    `may_share` whether the visitor may save it for everybody.
    """

    template: ClassVar[str] = "issues/issues.html"

    shell: Shell
    now_ms: int
    view: IssueView
    tabs: tuple[TabLink, ...]
    more_tabs: tuple[TabLink, ...]
    chips: tuple[Chip, ...]
    sorts: dict[str, SortLink]
    numbers: tuple[PulseNumber, ...]
    strip: Strip
    problem: str
    notice: Notice | None
    actions: tuple[Action, ...]
    more_actions: tuple[Action, ...]
    signal_id: int
    rows: tuple[IssueLine, ...]
    place: str
    matching: str
    limits: str
    empty: EmptyState | None
    setup: Setup | None
    deleting: int
    deleting_is_more: bool
    delete_href: str
    older_href: str
    newer_href: str
    people: tuple[Option, ...]
    has_me: bool
    save_query: str
    may_share: bool


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
    Status.RESOLVED, "Resolve", "r", Status.RESOLVED, True, "Fixed and deployed. It regresses if it happens again."
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
