"""What the page about the state of bloop itself shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Page, Shell


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that can be wrong, whether it is, and what to do about it."""

    anchor: str
    title: str
    is_wrong: bool
    meaning: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SystemPage(Page):
    """`/system`: every condition the banners speak of."""

    template: ClassVar[str] = "health/system.html"

    shell: Shell
    is_well: bool
    conditions: tuple[Condition, ...]
