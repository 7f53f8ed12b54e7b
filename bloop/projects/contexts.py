"""Contexts of the project settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.settings_nav import SettingsPage


@dataclass(frozen=True, slots=True)
class ProjectLine:
    """A project in the list. `created_by` is empty for the operator and for deleted users."""

    href: str
    setup_href: str
    name: str
    slug: str
    open_count: int
    created_at_ms: int
    created_by: str


@dataclass(frozen=True, slots=True)
class ProjectsPage(SettingsPage):
    """`/settings/projects`. `problem` says why a new project was refused; name and slug then keep the input."""

    template: ClassVar[str] = "projects/projects.html"

    problem: str
    projects: tuple[ProjectLine, ...]
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class ProjectCounts:
    """What deleting the project deletes."""

    issues: int
    events: int
    releases: int
    tokens: int


@dataclass(frozen=True, slots=True)
class ProjectView:
    """A project on its own page. Its key is never shown here; `key_note` says what rotating it means."""

    href: str
    setup_href: str
    tokens_href: str
    ledger_href: str
    name: str
    slug: str
    public_id: str
    short_prefix: str
    created_at_ms: int
    created_by: str
    key_made_at_ms: int
    key_note: str
    is_trimming: bool
    search_keys: str  # keys of tags and metadata, separated by commas; empty: all that fit
    can_be_deleted: bool


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key that works. `start` is empty for the configured secret, `ends_at_ms` None for the current key."""

    end_href: str
    start: str
    is_current: bool
    created_at_ms: int
    ends_at_ms: int | None
    used_at_ms: int | None


@dataclass(frozen=True, slots=True)
class ProjectPage(SettingsPage):
    """`/settings/projects/{slug}`. Without `may_manage` it is read-only."""

    template: ClassVar[str] = "projects/project.html"

    problem: str
    project: ProjectView
    contents: ProjectCounts
    keys: tuple[KeyLine, ...]
    may_manage: bool
