"""Which issues a list page shows, as its URL says it: tab, filters, order, place. The URL is the whole state.

VIEW-1  `IssueView.from_params(view.params())` is `view`: links, bookmarks and the back button always mean the same
    list.
VIEW-2  A default is left out of the URL; a changed filter, tab or order starts again at the first page.
VIEW-3  What is typed into the search box (issues/search/terms.py) holds beside the other filters. Where it names
    statuses itself, with `is:`, it stands in for the tab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from bloop.base.errors import InvalidParameter
from bloop.db.walk import PageKey
from bloop.issues.read import IssueFilter, Sort, Tab
from bloop.issues.search import terms
from bloop.issues.search.keys import Field
from bloop.issues.search.terms import Query

TEXT_CHARS_MAX = 200  # of one filter value
SEARCH_CHARS_MAX = terms.TEXT_CHARS_MAX
PAGE_ROWS = 36  # with long titles and full sparklines, a page of them stays below 60 KB
TABS = (Tab.OPEN, Tab.REGRESSED, Tab.MUTED, Tab.IGNORED, Tab.RESOLVED, Tab.FIRING, Tab.ALL)
TAB_LABELS = {Tab.FIRING: "Still firing"}
FILTERS = ("q", "environment", "release", "source", "route")
SORT_LABELS = {Sort.LAST_SEEN: "Last seen", Sort.FIRST_SEEN: "First seen", Sort.EVENTS: "Most events"}

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class IssueView:
    """The list a URL asks for. Empty text means no filter; `before` is the place to continue from, None for the top."""

    project: str = ""
    tab: Tab = Tab.OPEN
    q: str = ""
    environment: str = ""
    release: str = ""
    source: str = ""
    route: str = ""
    sort: Sort = Sort.LAST_SEEN
    before: PageKey | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> IssueView:
        """Read a query string; parameters it does not know are ignored.

        Raises:
            InvalidParameter: an unknown tab, order or place.
        """
        texts = {name: params.get(name, "").strip()[:TEXT_CHARS_MAX] for name in ("project", *FILTERS)}
        texts["q"] = params.get("q", "").strip()[:SEARCH_CHARS_MAX]
        return cls(
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

    def issue_filter(self, now_ms: int) -> IssueFilter:
        """The filter for the database.

        Raises:
            InvalidParameter: the search cannot be understood.
        """
        query = self.query
        return IssueFilter(
            tab=Tab.ALL if query.says_status else self.tab,
            release=self.release or None,
            environment=self.environment or None,
            source=self.source or None,
            route=self.route or None,
            query=query,
            now_ms=now_ms,
        )

    @property
    def shown_tab(self) -> Tab | None:
        """The tab to show as chosen: the one `is:` names, if it names one alone; None where no tab says it (VIEW-3)."""
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
        """The same tab and order elsewhere. Filters stay behind: another project has other releases and routes."""
        return IssueView(project=slug, tab=self.tab, sort=self.sort)

    def without_filters(self) -> IssueView:
        return IssueView(project=self.project, tab=self.tab, sort=self.sort)

    def without(self, name: str) -> IssueView:
        return IssueView.from_params({n: v for n, v in self.params().items() if n not in (name, "before")})

    def at(self, place: PageKey | None) -> IssueView:
        return replace(self, before=place)


def _text(value: object) -> str:
    return f"{value.value}.{value.tie}.{value.id}" if isinstance(value, PageKey) else str(value)


def _choice(kind: type[E], name: str, text: str) -> E | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise InvalidParameter(name, f"must be one of {', '.join(kind)}") from None


def _place(name: str, text: str) -> PageKey | None:
    if not text:
        return None
    value, _, rest = text.partition(".")
    tie, _, row_id = rest.partition(".")
    if not (_is_count(value) and _is_count(row_id) and tie.isalpha()):
        raise InvalidParameter(name, "must be a place that a page has linked to")
    return PageKey(int(value), tie, int(row_id))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
