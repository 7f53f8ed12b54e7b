"""Context of the set-up page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Page, Shell


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A text to copy: `caption` says what it is, `code_id` is for the copy button."""

    caption: str
    code: str
    code_id: str


@dataclass(frozen=True, slots=True)
class SetupStep:
    """A step with a text, a block to copy, or both."""

    title: str
    text: str
    block: CodeBlock | None


@dataclass(frozen=True, slots=True)
class LanguagePanel:
    """A language: its tab and its steps. A panel that is not `chosen` is hidden, except in a page with a key."""

    name: str
    label: str
    href: str
    is_chosen: bool
    is_hidden: bool
    steps: tuple[SetupStep, ...]


@dataclass(frozen=True, slots=True)
class ArrivedIssue:
    """The newest issue, once an event has arrived."""

    href: str
    short_id: str
    level: str
    error_type: str
    message: str
    source: str


@dataclass(frozen=True, slots=True)
class NextStep:
    """What is worth doing after the first event, with its present value."""

    icon: str
    label: str
    value: str
    href: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is known while nothing has arrived. `key_note` is about the use of the key; `rejected` about the newest
    refused request, empty for none."""

    key_note: str
    rejected: str
    rejected_at_ms: int | None


@dataclass(frozen=True, slots=True)
class KeyHelp:
    """How to get the key where it is not shown; an empty link is a way that is not open to this person."""

    text: str
    show_href: str
    rotate_href: str
    made_at_ms: int


@dataclass(frozen=True, slots=True)
class SetupPage(Page):
    """`/projects/{slug}/setup`. `key` is set only in the answer to a POST: the one that created it, or asked for it.

    `arrived` is None until an event has arrived. `stream_*` are for the live stream that says so. The form that rotates
    the key sends `key_help.made_at_ms`, so that sending it twice rotates once.
    """

    template: ClassVar[str] = "onboarding/setup.html"

    shell: Shell
    now_ms: int
    project_name: str
    key: str
    key_help: KeyHelp
    languages: tuple[LanguagePanel, ...]
    arrived: ArrivedIssue | None
    next_steps: tuple[NextStep, ...]
    waiting: Waiting
    status_href: str
    page_href: str
    test_href: str
    test_problem: str
    refreshes: bool  # automatically, without JavaScript
    stream_after: int
    stream_project: str
