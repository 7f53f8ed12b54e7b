"""Which issues a list page shows, as its URL says it: scope, tab, filters, order, place. The URL is the whole state.

VIEW-1  `IssueView.from_params(view.params())` is `view`: links, bookmarks and the back button always mean the same
    list.
VIEW-2  A default is left out of the URL; a changed filter, tab or order starts again at the first page.
VIEW-3  The scope of the page (site/scope.py) is part of it: an issue is on the list when it has an event within.
VIEW-4  What is typed into the search box (issues/search/terms.py) holds beside the other filters. Where it names
    statuses itself, with `is:`, it stands in for the tab.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from bloop.base.errors import InvalidParameter
from bloop.db.walk import PageKey
from bloop.issues.counts.scope import CountScope
from bloop.issues.listing.model import IssueFilter, Sort, Tab
from bloop.issues.search import terms
from bloop.issues.search.keys import Field
from bloop.issues.search.terms import Query
from bloop.site.scope import DEFAULT_RANGE, PageScope

TEXT_CHARS_MAX = 200  # of one filter value
SEARCH_CHARS_MAX = terms.TEXT_CHARS_MAX
PAGE_ROWS = 30  # with long titles and full sparklines, a page of them stays below 60 KB
# The tabs of the page; the rest of them is behind "More".
TABS = (Tab.OPEN, Tab.MINE, Tab.REGRESSED, Tab.FIRING, Tab.NEW, Tab.ALL)
MORE_TABS = (Tab.MUTED, Tab.IGNORED, Tab.RESOLVED)
TAB_LABELS = {Tab.FIRING: "Still firing"}
FILTERS = ("q", "source", "route")
SORT_LABELS = {
    Sort.LAST_SEEN: "Last seen",
    Sort.FIRST_SEEN: "First seen",
    Sort.EVENTS: "Events",
    Sort.USERS: "Users",
    Sort.TREND: "Trend",
}

E = TypeVar("E", bound=StrEnum)
_PLACE = re.compile(r"([0-9]{1,18})\.([a-z]+)\.([0-9]{1,18})(?:\.([0-9]{1,9}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a page of a list begins: strictly behind `key`, with `above` rows above it, as far as that is known."""

    key: PageKey
    above: int = 0


@dataclass(frozen=True, slots=True)
class IssueView:
    """The list a URL asks for. Empty text means no filter; `before` is the place to continue from, None for the top."""

    project: str = ""
    env: str = ""
    release: str = ""
    t: str = DEFAULT_RANGE
    tab: Tab = Tab.OPEN
    q: str = ""
    source: str = ""
    route: str = ""
    sort: Sort = Sort.LAST_SEEN
    before: ListPlace | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> IssueView:
        """Read a query string; parameters it does not know are ignored.

        Raises:
            InvalidParameter: an unknown tab, order, range or place.
        """
        scope = PageScope.from_params(params)
        texts = {name: params.get(name, "").strip()[:TEXT_CHARS_MAX] for name in FILTERS}
        texts["q"] = params.get("q", "").strip()[:SEARCH_CHARS_MAX]
        return cls(
            scope.project,
            scope.environment,
            scope.release,
            scope.range,
            **texts,
            tab=_choice(Tab, "tab", params.get("tab", "")) or Tab.OPEN,
            sort=_choice(Sort, "sort", params.get("sort", "")) or Sort.LAST_SEEN,
            before=_place("before", params.get("before", "")),
        )

    def params(self) -> dict[str, str]:
        """The query parameters of this view, without defaults (VIEW-2)."""
        defaults = IssueView()
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: _text(value) for name, value in pairs if value != getattr(defaults, name)}

    @property
    def query_string(self) -> str:
        return urlencode(self.params())

    @property
    def href(self) -> str:
        query = self.query_string
        return f"/?{query}" if query else "/"

    @property
    def scope(self) -> PageScope:
        return PageScope(self.project, self.env, self.release, self.t)

    def in_scope(self, scope: PageScope) -> IssueView:
        """The same list in another scope, from its top."""
        names = {"project": scope.project, "env": scope.environment, "release": scope.release, "t": scope.range}
        return replace(self, **names, before=None)  # type: ignore[arg-type]

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are set, by name."""
        return {name: value for name in FILTERS if (value := getattr(self, name))}

    @property
    def query(self) -> Query:
        """The search box as terms.

        Raises:
            InvalidParameter: it cannot be understood.
        """
        return terms.parse(self.q)

    def issue_filter(self, now_ms: int, me: str = "", new_in: str = "") -> IssueFilter:
        """The filter for the database: for the user `me`, with the release that the tab NEW is about.

        Raises:
            InvalidParameter: the search cannot be understood.
        """
        query = self.query
        return IssueFilter(
            tab=Tab.ALL if query.says_status else self.tab,
            scope=CountScope.of(self.scope, now_ms),
            source=self.source or None,
            route=self.route or None,
            query=query,
            now_ms=now_ms,
            me=me,
            new_in=new_in,
        )

    @property
    def shown_tab(self) -> Tab | None:
        """The tab to show as chosen: the one `is:` names, if it names one alone; None where no tab says it (VIEW-4)."""
        try:
            said = self.query.of(Field.IS)
        except InvalidParameter:
            return self.tab
        if not said:
            return self.tab
        plainly = len(said) == 1 and len(said[0].values) == 1
        return Tab(said[0].values[0]) if plainly else None

    def on_tab(self, tab: Tab) -> IssueView:
        """Another tab of the same list; what the search said about statuses gives way to it."""
        try:
            return replace(self, tab=tab, q=self.query.without(Field.IS), before=None)
        except InvalidParameter:
            return replace(self, tab=tab, before=None)

    def in_project(self, slug: str) -> IssueView:
        """The same tab, order and range elsewhere. Filters stay behind: another project has other names."""
        return IssueView(project=slug, t=self.t, tab=self.tab, sort=self.sort)

    def sorted_by(self, sort: Sort) -> IssueView:
        return replace(self, sort=sort, before=None)

    def without_filters(self) -> IssueView:
        """The same tab, order and scope."""
        return replace(self, q="", source="", route="", before=None)

    def without(self, name: str) -> IssueView:
        return IssueView.from_params({n: v for n, v in self.params().items() if n not in (name, "before")})

    def at(self, key: PageKey | None, above: int = 0) -> IssueView:
        return replace(self, before=None if key is None else ListPlace(key, above))


def _text(value: object) -> str:
    if not isinstance(value, ListPlace):
        return str(value)
    key = value.key
    return f"{key.value}.{key.tie}.{key.id}" + (f".{value.above}" if value.above else "")


def _choice(kind: type[E], name: str, text: str) -> E | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise InvalidParameter(name, f"must be one of {', '.join(kind)}") from None


def _place(name: str, text: str) -> ListPlace | None:
    """As `_text` writes it; links of earlier releases say no number of rows."""
    if not text:
        return None
    match = _PLACE.fullmatch(text)
    if match is None:
        raise InvalidParameter(name, "must be a place that a page has linked to")
    return ListPlace(PageKey(int(match[1]), match[2], int(match[3])), int(match[4] or 0))
