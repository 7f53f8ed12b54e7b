"""The context of the storage page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Option, Panel
from bloop.site.settings_nav import SettingsPage


@dataclass(frozen=True, slots=True)
class Figure:
    """A size in bytes, a time, or `text` if neither is known."""

    label: str
    note: str = ""
    size_bytes: int | None = None
    at_ms: int | None = None
    text: str = ""
    warns: bool = False


@dataclass(frozen=True, slots=True)
class TableLine:
    label: str
    meaning: str
    row_count: int


@dataclass(frozen=True, slots=True)
class OwnTime:
    """A project with its own retention; None: as the others. 0 days of issues: they stay."""

    name: str
    slug: str
    days: int | None
    issues_days: int | None


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The newest clean-up. `state` is waiting, running or done; `due` is None until counted."""

    state: str
    progress_href: str
    asked_at_ms: int
    finished_at_ms: int | None
    was_asked: bool
    due: int | None
    events: int
    hours: int
    issues: int
    freed_bytes: int
    error: str


@dataclass(frozen=True, slots=True)
class StoragePage(SettingsPage):
    """`/settings/storage`. The form fields hold the text as typed; `problem` describes an invalid one."""

    template: ClassVar[str] = "retention/storage.html"

    problem: str
    project_problem: str
    events_days: str
    hours_days: str
    issues_days: str
    defaults: tuple[int, int, int]  # days of events, of hourly counts and of issues in the settings file
    samples: int
    own: tuple[OwnTime, ...]
    project_options: tuple[Option, ...]  # projects without their own retention
    project_days: str
    project_issues_days: str
    figures: tuple[Figure, ...]
    tables: tuple[TableLine, ...]
    counted_at_ms: int | None
    clean_up: CleanUp | None
    panel: Panel
