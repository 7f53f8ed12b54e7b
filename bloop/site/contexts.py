"""Contexts shared by pages: the base class (one frozen dataclass per template) and common values.

CONTEXT-1  A template sees exactly the fields of its context class, and uses all of them (a test compares the two).
CONTEXT-2  Contexts hold rows, numbers and text as stored. The templates' filters escape and format.
CONTEXT-3  Rules are properties of contexts (`is_new`, `actions`), so that templates never combine fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.scope import PageScope
from bloop.site.scope_bar import ScopeBar

PINNED, RECENT = "Pinned", "Recent"  # groups of the project switcher
RING_FILL_HIGH = 0.5  # of the ring: events arrive faster than they are stored


@dataclass(frozen=True, slots=True)
class Page:
    """Base of the context classes; `template` is its file."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class ProjectLink:
    """A line of the project switcher. `slug` is empty for "all projects"."""

    slug: str
    name: str
    href: str
    open_count: int
    group: str = ""  # "Pinned" or "Recent"; these come first

    @property
    def is_pinned(self) -> bool:
        return self.group == PINNED


@dataclass(frozen=True, slots=True)
class Banner:
    """A current problem of bloop, with a link to its remedy."""

    text: str
    href: str
    is_severe: bool
    word: str = "Needs attention"  # beside the health dot


@dataclass(frozen=True, slots=True)
class HealthDot:
    """The health dot: `text` is `Healthy`, or the worst problem in a word or two."""

    text: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A saved view in the rail."""

    name: str
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class Toast:
    """What the last action did: shown once, with the way back and the way on where there are any."""

    text: str
    undo_id: str = ""  # for POST /undo/{undo_id}
    undo_label: str = "Undo"
    next_href: str = ""  # the next issue in the list that one came from
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Shell:
    """The frame around a page: the user, the visible projects, the selected one; `scope` of a page that has one."""

    user_name: str
    projects: tuple[ProjectLink, ...]
    current: ProjectLink
    banners: tuple[Banner, ...] = ()  # set by `send_page`, the same on every page
    scope: ScopeBar | None = None
    views: tuple[ViewLink, ...] = ()
    toast: Toast | None = None  # set by `send_page`
    last_opened: str = ""  # slug of the project that the user opened last
    alerts_failed: int = 0  # deliveries of the last day that failed and that this person has not looked at

    @property
    def health(self) -> HealthDot:
        return HealthDot(self.banners[0].word, is_bad=True) if self.banners else HealthDot("Healthy", is_bad=False)

    @property
    def issues_href(self) -> str:
        """The list of issues in the scope of this page."""
        return self.scope.scope.href("/") if self.scope else self.current.href

    @property
    def search_href(self) -> str:
        """The search for events in the scope of this page."""
        scope = self.scope.scope if self.scope else PageScope(self.current.slug)
        return scope.href("/search")

    @property
    def complete_href(self) -> str:
        """The completion of a search in the project of this page."""
        return PageScope(self.current.slug).href("/search/complete")


@dataclass(frozen=True, slots=True)
class Panel:
    """Base of a panel that one feature shows on another's page; its template gets it as `panel`."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Badge:
    """A word beside a title; `kind` is its CSS class, `title` explains it."""

    kind: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class TabLink:
    """`count` is None where it would not match the rows behind the link; `is_more` when there are at least so many."""

    label: str
    href: str
    count: int | None
    current: bool
    is_more: bool = False


@dataclass(frozen=True, slots=True)
class PulseNumber:
    """A number of a pulse: `note` beside it, red when `is_bad`."""

    label: str
    value: str
    note: str = ""
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Option:
    """A line of a select."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """The result of the last action; `failed` when not all of it was done."""

    text: str
    failed: bool


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """Any error answer. `detail` is safe to show."""

    template: ClassVar[str] = "kit/error.html"

    status: int
    title: str
    detail: str
