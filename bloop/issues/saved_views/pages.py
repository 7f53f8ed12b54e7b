"""Rows → the settings page of saved views. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import parse_qsl

from bloop.auth.principal import Principal
from bloop.issues.listing.state import SORT_LABELS, TAB_LABELS
from bloop.issues.read import Sort, Tab
from bloop.issues.saved_views.model import may_change
from bloop.issues.saved_views.read import SavedViewRow
from bloop.site.contexts import Page, Shell
from bloop.site.scope import RANGES_MS
from bloop.site.settings_nav import VIEWS, NavLink, settings_nav

NOTICES = {"saved": "View saved.", "renamed": "View renamed.", "deleted": "View deleted.", "sorted": "Sorted by name."}
_LABELS = {
    "env": "environment",
    "environment": "environment",
    "release": "release",
    "route": "route",
    "source": "source",
}


@dataclass(frozen=True, slots=True)
class SavedViewLine:
    """A view in the settings; `list_words` says what it opens, `owner` is empty for one's own."""

    id: int
    name: str
    href: str
    list_words: str
    owner: str
    may_change: bool
    is_first: bool
    is_last: bool

    @property
    def action(self) -> str:
        """Where its forms go."""
        return f"{VIEWS.href}/{self.id}"


@dataclass(frozen=True, slots=True)
class SavedViewForm:
    """A form to save a list, as it was sent; `problem` says why it was refused."""

    name: str = ""
    query: str = ""
    is_shared: bool = False
    problem: str = ""

    @property
    def is_new(self) -> bool:
        """Whether it would save a list; else it would have renamed a view."""
        return bool(self.query or self.name)


@dataclass(frozen=True, slots=True)
class SavedViewTable:
    """The views of a person, or those that are shared."""

    views: tuple[SavedViewLine, ...]
    is_shared: bool
    may_sort: bool


@dataclass(frozen=True, slots=True)
class SavedViewsPage(Page):
    """`/settings/views`. `form` is there when a list could not be saved, or is about to be."""

    template: ClassVar[str] = "issues/views.html"

    shell: Shell
    nav: tuple[NavLink, ...]
    notice: str
    own: SavedViewTable
    shared: SavedViewTable
    is_admin: bool
    form: SavedViewForm | None


def views_page(
    shell: Shell,
    own: Sequence[SavedViewRow],
    shared: Sequence[SavedViewRow],
    principal: Principal,
    *,
    done: str,
    form: SavedViewForm | None = None,
) -> SavedViewsPage:
    return SavedViewsPage(
        shell=shell,
        nav=settings_nav(VIEWS, is_admin=principal.is_admin),
        notice=NOTICES.get(done, ""),
        own=SavedViewTable(tuple(_lines(own, principal)), is_shared=False, may_sort=len(own) > 1),
        shared=SavedViewTable(
            tuple(_lines(shared, principal)), is_shared=True, may_sort=len(shared) > 1 and principal.is_admin
        ),
        is_admin=principal.is_admin,
        form=form,
    )


def list_words(row: SavedViewRow) -> str:
    """`Web shop, regressed, environment production, last 7d, "timeout"`."""
    return ", ".join(_words(row))


def _lines(rows: Sequence[SavedViewRow], principal: Principal) -> Iterator[SavedViewLine]:
    for row in rows:
        yield SavedViewLine(
            id=row.id,
            name=row.name,
            href=row.href,
            list_words=list_words(row),
            owner="" if row.owner_id == principal.id else row.owner_name or "operator",
            may_change=may_change(principal, row.owner_id, is_shared=bool(row.is_shared)),
            is_first=row is rows[0],
            is_last=row is rows[-1],
        )


def _words(row: SavedViewRow) -> Iterator[str]:
    params = dict(parse_qsl(row.query))
    yield row.project_name or "All projects"
    tab = Tab(params.get("tab", Tab.OPEN))
    yield TAB_LABELS.get(tab, tab.value).lower()
    for name, label in _LABELS.items():
        if params.get(name):
            yield f"{label} {params[name]}"
    time_range = params.get("t", "")
    if time_range:
        yield f"last {time_range}" if time_range in RANGES_MS else time_range.replace("..", " to ")
    if params.get("q"):
        yield f'"{params["q"]}"'
    if params.get("sort"):
        yield f"by {SORT_LABELS[Sort(params['sort'])].lower()}"
