"""The contexts of an issue's pages: one event, all events, tags, activity (CONTEXT-1 to CONTEXT-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from bloop.grouping.stacks.model import Stack
from bloop.issues.contexts import MUTES, Action, badges_of
from bloop.issues.status.model import OPEN, Status
from bloop.site.contexts import Badge, Option, Page, Shell, TabLink
from bloop.site.strip import Strip

ALERTS = "alerts"  # the icon of alerts in the activity


@dataclass(frozen=True, slots=True)
class IssueHead:
    """The issue itself. `resolved_in` and `muted` say it in words, empty where there is nothing to say.

    `path` is its page without a query, `form_query` keeps scope and list behind an action. `release` is the one it was
    last seen in, empty when that has no name. `event_count` is of all time: the live notice counts from it.
    """

    path: str
    form_query: str
    short_id: str
    status: str
    level: str
    error_type: str
    message: str
    event_count: int
    resolved_in: str
    resolved_in_release: str
    muted: str
    release: str
    assignee: str
    is_new: bool
    is_firing: bool

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def badges(self) -> tuple[Badge, ...]:
        return badges_of(self.status, self.is_new, self.is_firing)

    @property
    def resolution(self) -> str:
        """The release that a resolved issue is fixed in."""
        return self.resolved_in_release if self.status == Status.RESOLVED else ""

    @property
    def state(self) -> str:
        """The state in which a page that was opened earlier may differ."""
        status = "still firing" if self.is_firing else self.status
        assigned = f"assigned to {self.assignee}" if self.assignee else ""
        return ", ".join(part for part in (status, self.muted, assigned) if part)

    @property
    def mutes(self) -> tuple[Action, ...]:
        """For how long it can be muted, beside for good."""
        return MUTES if self.is_open else ()


@dataclass(frozen=True, slots=True)
class Impact:
    """The numbers of the scope. `users` is how many the stored events name; `users_are_more`: other events of the scope
    have expired or were not looked at. Last and first seen are of all time, in the scope's environment and release.
    """

    events: int
    users: int
    users_are_more: bool
    last_seen_ms: int
    last_release: str
    first_seen_ms: int
    first_release: str


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What is counted of the issue whatever the scope; `users` in words, as `about 12,400`."""

    events: int
    users: str
    times_regressed: int


@dataclass(frozen=True, slots=True)
class IssueFrame:
    """What every page of an issue has. `back_href` is the list it was opened from, `list_query` that list's query.

    `people` are whom it can be assigned to, who has it is chosen; `me` is the visitor, unless that is who has it.
    `ids` name the issue and the event in one line; `document_href` with `.md` or `.json` behind it is the page for
    programs. `alert_href` makes a rule about this issue. `signal_id` is the last signal that the page knows of.
    """

    issue: IssueHead
    impact: Impact
    strip: Strip
    tabs: tuple[TabLink, ...]
    back_href: str
    list_query: str
    people: tuple[Option, ...]
    me: str
    signal_id: int
    ids: str
    document_href: str
    alert_href: str


# One event ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of a key/value table; `mono` for ids and paths, `at_ms` for a time instead of `value`. `href` filters the
    events of the issue by it, empty where no search can."""

    label: str
    value: str = ""
    mono: bool = False
    at_ms: int | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class EventNav:
    """Links to the neighbours in scope, empty at the ends. `position` counts from the oldest; None when the event is
    not in scope, or where there are more than `total`, which `is_more` says."""

    first_href: str
    older_href: str
    newer_href: str
    last_href: str
    position: int | None
    total: int
    is_more: bool

    @property
    def is_newest(self) -> bool:
        return not self.newer_href and not self.last_href


@dataclass(frozen=True, slots=True)
class EventView:
    """One stored event. `stack` has no sections when the text has no frames; `metadata` is parsed JSON or None.

    `same_as_issue`: its type and message stand in full at the top of the page already. `request` is its request id,
    `request_href` what else happened in that request. `is_outside` when it is not in the scope of the page.
    """

    at_ms: int
    error_type: str
    message: str
    same_as_issue: bool
    request: str
    request_href: str
    stack_text: str
    stack: Stack
    facts: tuple[Fact, ...]
    metadata: Any
    metadata_facts: tuple[Fact, ...]
    cut: tuple[str, ...] = ()  # paths of what was cut to store it
    is_outside: bool = False

    @property
    def repeats_heading(self) -> bool:
        """The stack's own first heading says what the page already says above it."""
        return bool(self.stack.sections) and self.message[:80] in self.stack.sections[0].heading


@dataclass(frozen=True, slots=True)
class TagShare:
    """A value of a tag: its part of the events looked at, and the events that have it; no link where it was cut."""

    value: str
    share: float
    href: str


@dataclass(frozen=True, slots=True)
class TagView:
    name: str
    distinct_count: int
    values: tuple[TagShare, ...]
    other: float  # part of the events with other values


@dataclass(frozen=True, slots=True)
class TagList:
    """Tags of the newest `events` in scope, which are all when `is_complete`; `left_out` more are on their own page."""

    events: int
    is_complete: bool
    tags: tuple[TagView, ...]
    left_out: int
    href: str


@dataclass(frozen=True, slots=True)
class ReleaseLine:
    """Events of one release, in all and by the environments of the table."""

    release: str
    total: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReleaseTable:
    """Events by release and environment, of all time; `left_out` says in words what has no line or column."""

    environments: tuple[str, ...]
    lines: tuple[ReleaseLine, ...]
    left_out: str


# Activity -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommentView:
    """A comment. `href` is where its forms post, empty when it is another author's."""

    anchor: str
    text: str
    is_edited: bool
    href: str
    form_query: str


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    """A line of the activity. `text` continues with `release` or `person`; `who` is empty when bloop itself acted."""

    at_ms: int
    icon: str
    text: str
    release: str
    person: str
    who: str
    place: str
    comment: CommentView | None = None
    undo_id: str = ""  # undoes the newest change, while that is kept
    undo_label: str = "Undo"

    @property
    def avatar(self) -> str:
        """The person beside it; empty where an icon stands: of alerts, `who` is the rule."""
        return "" if self.icon == ALERTS else self.who


@dataclass(frozen=True, slots=True)
class Activity:
    """The newest entries, oldest first. `earlier` are not among them, `href` has them all. A comment is posted to
    `comment_href`."""

    entries: tuple[ActivityEntry, ...]
    earlier: int
    href: str
    comment_href: str


# Pages --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IssuePage(Page):
    """`/issues/{ref}` and `/issues/{ref}/events/{id}`: one issue and one of its events.

    `event` is None when no event is stored any more, and `nav` with it; `wider` are wider scopes to look for others in,
    when the event is outside.
    """

    template: ClassVar[str] = "issues/issue.html"

    shell: Shell
    now_ms: int
    frame: IssueFrame
    event: EventView | None
    nav: EventNav | None
    wider: tuple[tuple[str, str], ...]
    tags: TagList
    lifetime: Lifetime
    releases: ReleaseTable
    activity: Activity


@dataclass(frozen=True, slots=True)
class EventCell:
    """A cell of the table of events; `kind` is its CSS class."""

    value: str
    kind: str


@dataclass(frozen=True, slots=True)
class EventTableLine:
    href: str
    at_ms: int
    cells: tuple[EventCell, ...]  # one for each column


@dataclass(frozen=True, slots=True)
class IssueEventsPage(Page):
    """`/issues/{ref}/events`: the events in scope as a table, filtered by the search `q`.

    `words` say which part of the list this is. `problem` is what is wrong with the search. `columns` stand beside the
    time; `complete_href` completes a search while it is typed. `everywhere_href` looks for the same in all issues of
    the project.
    """

    template: ClassVar[str] = "issues/issue_events.html"

    shell: Shell
    now_ms: int
    frame: IssueFrame
    path: str
    q: str
    problem: str
    words: str
    columns: tuple[str, ...]
    lines: tuple[EventTableLine, ...]
    newer_href: str
    older_href: str
    complete_href: str
    clear_href: str
    everywhere_href: str
    wider: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class IssueTagsPage(Page):
    """`/issues/{ref}/tags`: every tag with its most frequent values."""

    template: ClassVar[str] = "issues/issue_tags.html"

    shell: Shell
    now_ms: int
    frame: IssueFrame
    tags: TagList
    wider: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class IssueActivityPage(Page):
    """`/issues/{ref}/activity`: all of it, a page at a time."""

    template: ClassVar[str] = "issues/issue_activity.html"

    shell: Shell
    now_ms: int
    frame: IssueFrame
    activity: Activity
    words: str
    newer_href: str
    older_href: str
