"""What pages share: one frozen dataclass per template, and the small values inside it.

K1  A template sees exactly the fields of its context class, and uses every one of them (a test compares the two).
K2  Contexts hold rows, numbers and text as stored. Escaping and wording of times happen in the templates' filters.
K3  Rules live in contexts as properties (`is_new`, `actions`), so a template never weighs two fields against each
    other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

RING_FILL_HIGH = 0.5  # of the ring: events arrive faster than they are stored


@dataclass(frozen=True, slots=True)
class Page:
    """Base of the context classes; `template` is the file that takes it."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class ProjectLink:
    """A line of the project switcher. `slug` is empty for "all projects"."""

    slug: str
    name: str
    href: str
    open_count: int


@dataclass(frozen=True, slots=True)
class Banner:
    """Something that ails bloop right now, and where it says what to do about it."""

    text: str
    href: str
    is_severe: bool


@dataclass(frozen=True, slots=True)
class Shell:
    """The frame around a page: who is signed in, which projects they see, which one is chosen."""

    user_name: str
    projects: tuple[ProjectLink, ...]
    current: ProjectLink
    banners: tuple[Banner, ...] = ()  # put in by `send_page`: what ails bloop is the same on every page


@dataclass(frozen=True, slots=True)
class Panel:
    """Base of what one feature shows on another's page; its template takes it as `panel`."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Badge:
    """A word beside a title; `kind` is its CSS class, `title` explains it."""

    kind: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class TabLink:
    """`count` is None where it would not be the number of rows behind the link (other filters are set)."""

    label: str
    href: str
    count: int | None
    current: bool


@dataclass(frozen=True, slots=True)
class Option:
    """A line of a select."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Notice:
    """What became of the last action, in a sentence; `failed` when not all of it was done."""

    text: str
    failed: bool


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """Any answer that is not the page asked for. `detail` is safe to show."""

    template: ClassVar[str] = "kit/error.html"

    status: int
    title: str
    detail: str
