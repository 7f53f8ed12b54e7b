"""Context of the system page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Page, Shell


@dataclass(frozen=True, slots=True)
class Condition:
    """A possible problem, whether it exists now, and how to fix it."""

    anchor: str
    title: str
    is_active: bool
    meaning: str
    facts: tuple[str, ...]  # what it is about now, such as the projects
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SystemPage(Page):
    """`/system`: every condition that a banner can show."""

    template: ClassVar[str] = "health/system.html"

    shell: Shell
    is_healthy: bool
    conditions: tuple[Condition, ...]
