"""Contexts of the pages of saved views, for samples.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from bloop.auth.principal import Principal, PrincipalKind
from bloop.issues.saved_views.pages import SavedViewForm, views_page
from bloop.issues.saved_views.read import SavedViewRow
from bloop.site.contexts import PINNED, RECENT, Page, ProjectLink, Shell, Toast

ADMIN = Principal(PrincipalKind.USER, "u1", "Ada", None, frozenset(), is_admin=True)
PERSON = replace(ADMIN, id="u2", is_admin=False)
UNDO_ID = "0d2f2d0e-5b0f-4c55-9d3a-6a1b2c3d4e5f"


def saved_view_pages(shell: Shell, say: Callable[[str], str]) -> Iterator[Page]:
    """Views of a person and of everybody, for both; a form that was refused; with toasts and a sorted switcher."""
    row = SavedViewRow(1, "u1", say("Ada"), 0, 1, say("Checkout"), 1, "shop", say("Shop"), "q=checkout&t=7d")
    own = [row, row._replace(id=2, place=2, name=say("All"), project_id=None, project_slug=None, project_name=None)]
    shared = [row._replace(id=3, is_shared=1, query="env=production&sort=events&tab=firing")]
    yield views_page(shell, own, shared, ADMIN, done="saved")
    yield views_page(shell, [], [], PERSON, done="")
    refused = SavedViewForm(say("Checkout"), "q=checkout", is_shared=True, problem=say("there is one already"))
    yield views_page(_acted(shell, say), own, shared, ADMIN, done="", form=refused)
    renamed = SavedViewForm(problem=say("name is required"))
    yield views_page(_failed(shell), own[:1], shared, PERSON, done="", form=renamed)


def _acted(shell: Shell, say: Callable[[str], str]) -> Shell:
    toast = Toast(say("SHOP-7 resolved."), undo_id=UNDO_ID, next_href="/issues/SHOP-6?list=tab%3Dopen")
    projects = tuple(
        ProjectLink(f"p{n}", say(f"Project {n}"), f"/?project=p{n}", n, (PINNED, RECENT)[n] if n < 2 else "")
        for n in range(4)
    )
    return replace(shell, toast=toast, projects=projects, current=projects[2])


def _failed(shell: Shell) -> Shell:
    return replace(shell, toast=Toast("Nothing was undone: SHOP-7 has changed since.", failed=True))
