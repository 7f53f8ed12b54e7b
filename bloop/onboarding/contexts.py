"""What the page about a first event shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Page, Shell


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program that reports an error, complete; `code_id` names it for the copy button."""

    code_id: str
    label: str
    code: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class SetupPage(Page):
    """`/projects/{slug}/setup`. `key` is there right after it was made and empty on every other visit.

    `arrived_href` leads to the newest issue and is empty while nothing has arrived. `key_made_at_ms` goes with the form
    that makes a new key, so that a form sent twice makes one.
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
    refreshes: bool  # without JavaScript, by itself
