"""The addresses of an issue's pages: each keeps the scope, and the list that the issue was opened from. Pure.

ADDRESS-1  What the address says of the scope counts as a whole. If it says nothing, the scope is that of the list in
    `list`, so the numbers of an issue are those of its row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from bloop.base.errors import InvalidParameter
from bloop.site.links import issue_href
from bloop.site.scope import PARAMS, PageScope

LIST = "list"  # the parameter: the query of that list
EVERY_LIST = "tab=open"  # what an empty query means: without a word of its own it would be no list
LIST_CHARS_MAX = 2000
FIELDS_MAX = 32


@dataclass(frozen=True, slots=True)
class IssueAddress:
    """`list_query` is empty when the issue was opened from elsewhere."""

    short_id: str
    scope: PageScope
    list_query: str = ""

    @classmethod
    def from_params(cls, short_id: str, project: str, params: Mapping[str, str]) -> IssueAddress:
        """Read a query string; `project` is the slug of the issue's project.

        Raises:
            InvalidParameter: `t` is no range.
        """
        of_list = _pairs(params.get(LIST, ""))
        scope = _scope_of(of_list)
        if any(params.get(name) for name in (*PARAMS, "environment")):
            scope = PageScope.from_params(params)
        return cls(short_id, scope.with_(project=project), urlencode(of_list))

    @property
    def path(self) -> str:
        """The issue itself, without a query; forms post below it."""
        return issue_href(self.short_id)

    @property
    def page(self) -> str:
        """The issue with the newest event in scope."""
        return self._href(self.path)

    @property
    def tags(self) -> str:
        return self._href(f"{self.path}/tags")

    @property
    def back(self) -> str:
        """The list that the issue was opened from, else the project's in the same scope."""
        return f"/?{self.list_query}" if self.list_query else self.scope.href("/")

    @property
    def query(self) -> str:
        """What the action of a form ends with, so that the page after it is the same."""
        return self.page.partition("?")[2]

    def event(self, event_id: int) -> str:
        return self._href(f"{self.path}/events/{event_id}")

    def events(self, q: str = "", before: str = "") -> str:
        """The table of events, filtered by a search."""
        return self._href(f"{self.path}/events", q=q, before=before)

    def activity(self, page: int = 0) -> str:
        """All of the activity; `page` counts from the newest entries, from 0."""
        return self._href(f"{self.path}/activity", page=str(page) if page else "")

    def _href(self, path: str, **params: str) -> str:
        # Without a list the project goes without saying; with one it marks the scope as the address's own (ADDRESS-1).
        scope = self.scope if self.list_query else replace(self.scope, project="")
        return scope.href(path, list=self.list_query, **params)


def _pairs(query: str) -> dict[str, str]:
    if len(query) > LIST_CHARS_MAX:
        return {}
    try:
        return dict(parse_qsl(query, max_num_fields=FIELDS_MAX))
    except ValueError:
        return {}


def _scope_of(params: Mapping[str, str]) -> PageScope:
    try:
        return PageScope.from_params(params)
    except InvalidParameter:
        return PageScope()
