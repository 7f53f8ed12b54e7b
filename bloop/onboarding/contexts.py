"""Context of the set-up page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Page, Shell


@dataclass(frozen=True, slots=True)
class Snippet:
    """A complete program that reports one error; `code_id` is for the copy button."""

    code_id: str
    label: str
    code: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class SetupPage(Page):
    """`/projects/{slug}/setup`. `key` is set only in the answer that created it.

    `arrived_href` leads to the newest issue and is empty until an event has arrived. The form that rotates the key
    sends `key_made_at_ms`, so that sending it twice rotates once.
    """

    template: ClassVar[str] = "onboarding/setup.html"

    shell: Shell
    project_name: str
    key: str
    key_help: str
    rotate_href: str
    key_made_at_ms: int
    ingest_url: str
    snippets: tuple[Snippet, ...]
    arrived_href: str
    status_href: str
    test_href: str
    test_problem: str
    refreshes: bool  # automatically, without JavaScript
