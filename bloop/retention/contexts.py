"""What the storage page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Option, Panel
from bloop.site.settings_nav import SettingsPage


@dataclass(frozen=True, slots=True)
class Figure:
    """A size in bytes, a number of days, a time, or `text` where none of them is known."""

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
    """A project that keeps events for a time of its own."""

    name: str
    slug: str
    days: int


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The newest one. `state` is waiting, running or done; `due` None while it is not known."""

    state: str
    progress_href: str
    asked_at_ms: int
    finished_at_ms: int | None
    was_asked: bool
    due: int | None
    events: int
    hours: int
    freed_bytes: int
    error: str


@dataclass(frozen=True, slots=True)
class StoragePage(SettingsPage):
    """`/settings/storage`. What is in the form is text as it was typed; `problem` says what of it will not do."""

    template: ClassVar[str] = "retention/storage.html"

    problem: str
    project_problem: str
    events_days: str
    hours_days: str
    defaults: tuple[int, int]  # days of events and of hourly counts in the settings file
    samples: int
    own: tuple[OwnTime, ...]
    project_options: tuple[Option, ...]  # those without a time of their own
    project_days: str
    figures: tuple[Figure, ...]
    tables: tuple[TableLine, ...]
    counted_at_ms: int | None
    clean_up: CleanUp | None
    panel: Panel
