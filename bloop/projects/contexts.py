"""What the settings of projects show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.settings_nav import SettingsPage


@dataclass(frozen=True, slots=True)
class ProjectLine:
    """A project in the list. `created_by` is empty for the operator and for people who left."""

    href: str
    setup_href: str
    name: str
    slug: str
    open_count: int
    created_at_ms: int
    created_by: str


@dataclass(frozen=True, slots=True)
class ProjectsPage(SettingsPage):
    """`/settings/projects`. `problem` says why a new project was refused; name and slug are then as typed."""

    template: ClassVar[str] = "projects/projects.html"

    problem: str
    projects: tuple[ProjectLine, ...]
    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What is lost with a project."""

    issues: int
    events: int
    releases: int
    tokens: int


@dataclass(frozen=True, slots=True)
class ProjectView:
    """A project on its own page. Its key is never shown here; `key_note` says what a new one would not change."""

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
    can_be_deleted: bool


@dataclass(frozen=True, slots=True)
class ProjectPage(SettingsPage):
    """`/settings/projects/{slug}`. Without `may_manage` it only shows."""

    template: ClassVar[str] = "projects/project.html"

    problem: str
    project: ProjectView
    contents: Contents
    may_manage: bool
