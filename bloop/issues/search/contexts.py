"""The context of the search page (CONTEXT-1 to CONTEXT-3 in site/contexts.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Page, Shell, TabLink


@dataclass(frozen=True, slots=True)
class SearchLink:
    """A value of an event, and the link that searches for it too."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class EventLine:
    """A row of the table. Facts that the event does not have are None."""

    href: str
    at_ms: int
    time: str  # to the second, UTC
    short_id: str
    issue_href: str
    level: str
    error_type: str
    message: str
    request: SearchLink | None
    user: SearchLink | None
    http: SearchLink | None
    release: SearchLink
    environment: SearchLink


@dataclass(frozen=True, slots=True)
class FurtherEvents:
    """The way to other pages. `words` say why there are more events to look at; links may be empty."""

    words: str
    newest_href: str
    older_href: str
    older_label: str


@dataclass(frozen=True, slots=True)
class SearchPage(Page):
    """Events that match a search. `problem` is why it cannot be read; then there are no lines."""

    template: ClassVar[str] = "issues/search.html"
    shell: Shell
    q: str
    tabs: tuple[TabLink, ...]
    problem: str
    lines: tuple[EventLine, ...]
    stopped: str  # how far it looked, where that was not to the end
    wider: tuple[SearchLink, ...]  # longer time ranges, offered where nothing was found
    range_words: str  # `in the last 24 h`
    outside: SearchLink | None  # where nothing was found: when the newest match in other time ranges was received
    further: FurtherEvents | None  # None: this is all
