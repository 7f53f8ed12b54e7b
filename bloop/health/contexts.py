"""Context of the system page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from bloop.site.contexts import Page, Shell, TabLink


class CheckState(StrEnum):
    """The value is the mark beside the check (kit/icons.svg). A value that could not be read is never GOOD."""

    GOOD = "good"
    WARN = "warning"
    BAD = "error"
    UNKNOWN = "off"

    @property
    def word(self) -> str:
        return {"good": "OK", "warning": "needs attention", "error": "failing", "off": "not known"}[self.value]


@dataclass(frozen=True, slots=True)
class Problem:
    """An existing problem: what it means, what it is about now (such as the projects), and how to fix it."""

    anchor: str
    title: str
    meaning: str
    facts: tuple[str, ...]
    steps: tuple[str, ...]
    is_severe: bool


@dataclass(frozen=True, slots=True)
class SystemCheck:
    """A part of bloop: its state, its present value, and its problems; `problems` is empty while it works."""

    anchor: str
    title: str
    state: CheckState
    value: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class SystemPage(Page):
    """`/system`: every part of bloop with its present value, those with problems first; facts of the installation."""

    template: ClassVar[str] = "health/system.html"

    shell: Shell
    nav: tuple[TabLink, ...]
    summary: str
    state: CheckState
    checks: tuple[SystemCheck, ...]
    facts: tuple[tuple[str, str], ...]  # (name, value)
