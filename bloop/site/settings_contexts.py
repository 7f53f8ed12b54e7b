"""What the pages about projects show: their settings, their tokens, how to send a first event, what became of all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from bloop.site.contexts import Option, Page, Shell, TabLink
from bloop.site.settings_nav import SettingsPage

# Projects -----------------------------------------------------------------------------------------------------------


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

    template: ClassVar[str] = "pages/projects.html"

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

    template: ClassVar[str] = "pages/project.html"

    problem: str
    project: ProjectView
    contents: Contents
    may_manage: bool


# Tokens -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenLine:
    """`state` is open, expired or revoked. Times are None for never."""

    href: str
    name: str
    token_prefix: str
    project_name: str
    scopes: tuple[str, ...]
    created_at_ms: int
    created_by: str
    expires_at_ms: int | None
    last_used_at_ms: int | None
    state: str
    may_revoke: bool


@dataclass(frozen=True, slots=True)
class ScopeBox:
    """A checkbox of the form."""

    name: str
    what: str
    checked: bool


@dataclass(frozen=True, slots=True)
class FreshToken:
    """The one that was just made, this once in clear."""

    title: str
    note: str
    token: str
    example: str


@dataclass(frozen=True, slots=True)
class TokensPage(SettingsPage):
    """`/settings/tokens`. `options` are the projects one may make tokens for, none when there is none."""

    template: ClassVar[str] = "pages/tokens.html"

    problem: str
    fresh: FreshToken | None
    tokens: tuple[TokenLine, ...]
    options: tuple[Option, ...]
    scopes: tuple[ScopeBox, ...]
    lifetimes: tuple[Option, ...]
    name: str


# A first event ------------------------------------------------------------------------------------------------------


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

    template: ClassVar[str] = "pages/setup.html"

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


# The ledger ---------------------------------------------------------------------------------------------------------


class Balance(StrEnum):
    BALANCED = "balanced"
    SETTLING = "settling"  # some records are on their way to the disk
    OPEN = "open"  # one project by itself: its counters may have been kept under "no project"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """What became of some records. `kind` is stored, lost (the operator can do something) or refused (the sender)."""

    label: str
    meaning: str
    kind: str
    recent: int
    total: int


@dataclass(frozen=True, slots=True)
class LedgerBar:
    """One hour or day; heights in px from the base line up, stored below and the rest on top."""

    label: str
    x: float
    stored: int
    others: int
    stored_y: float
    stored_height: float
    others_y: float
    others_height: float

    @property
    def received(self) -> int:
        return self.stored + self.others


@dataclass(frozen=True, slots=True)
class LedgerChart:
    bars: tuple[LedgerBar, ...]
    ticks: tuple[tuple[float, str], ...]
    height: int
    bar_width: float
    top: int
    bucket: str


@dataclass(frozen=True, slots=True)
class RejectionLine:
    at_ms: int
    project: str
    reason: str
    detail: str
    key_prefix: str
    size_bytes: int | None
    client: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class LedgerPage(Page):
    """`/ledger`: everything that arrived and what became of it, for one project or all. Totals are since ever."""

    template: ClassVar[str] = "pages/ledger.html"

    shell: Shell
    now_ms: int
    scope_name: str
    project_links: tuple[TabLink, ...]
    spans: tuple[TabLink, ...]
    span_words: str
    received: int
    received_recent: int
    in_flight: int
    balance: Balance
    outcomes: tuple[OutcomeLine, ...]
    chart: LedgerChart
    rejections: tuple[RejectionLine, ...]


# The state of bloop itself ------------------------------------------------------------------------------------------


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

    template: ClassVar[str] = "pages/system.html"

    shell: Shell
    is_well: bool
    conditions: tuple[Condition, ...]
