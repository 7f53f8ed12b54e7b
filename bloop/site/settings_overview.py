"""/settings: every setting with its present value, in three groups: You, Project, Server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

import falcon

from bloop import __version__
from bloop.auth.principal import Principal
from bloop.db.engine import Db
from bloop.site.appearance import look_words
from bloop.site.contexts import Page, ProjectLink, Shell
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.look import Look
from bloop.site.principal import principal_of
from bloop.site.settings_nav import APPEARANCE, OVERVIEW_HREF, SettingLine, SettingsGroup, SettingsRequest

APPEARANCE_RANK = 40


@dataclass(frozen=True, slots=True)
class SettingsGroupView:
    """A group with its lines. `note` stands below its title; `projects` choose what the group is about, else empty."""

    anchor: str
    title: str
    note: str
    lines: tuple[SettingLine, ...]
    projects: tuple[ProjectLink, ...]


@dataclass(frozen=True, slots=True)
class SettingsOverviewPage(Page):
    """`/settings`."""

    template: ClassVar[str] = "kit/settings_overview.html"

    shell: Shell
    groups: tuple[SettingsGroupView, ...]


class SettingsOverview:
    """GET /settings; `project` chooses the project of the middle group."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            page = self._page(db, principal_of(req), Look.from_request(req), req.get_param("project") or "")
        send_page(self._deps, req, resp, page)

    def _page(self, db: Db, principal: Principal, look: Look, slug: str) -> SettingsOverviewPage:
        shell = self._deps.shell(db, principal, slug, project_href)
        known = [project for project in shell.projects if project.slug]
        chosen = shell.current if shell.current.slug else known[0] if known else None
        request = SettingsRequest(principal, chosen.slug if chosen else "", look, self._deps.now_ms())
        return overview_page(shell, principal, chosen, self._deps.hooks.setting_lines(self._deps, db, request), look)


def overview_page(
    shell: Shell, principal: Principal, chosen: ProjectLink | None, lines: Iterable[SettingLine], look: Look
) -> SettingsOverviewPage:
    """`lines` of all features, in any order; a group without lines is left out. Pure."""
    appearance = SettingLine(
        SettingsGroup.YOU, APPEARANCE_RANK, "moon", APPEARANCE.label, look_words(look), APPEARANCE.href
    )
    ordered = sorted([*lines, appearance], key=lambda line: line.rank)
    role = "admin" if principal.is_admin else "user"
    headings = {
        SettingsGroup.YOU: ("You", f"{principal.name}, {role}. Only you see these."),
        SettingsGroup.PROJECT: (f"Project: {chosen.name}" if chosen else "Project", ""),
        SettingsGroup.SERVER: ("Server", f"bloop {__version__}. Shared by all projects."),
    }
    known = tuple(project for project in shell.projects if project.slug)
    groups = (
        SettingsGroupView(
            group.lower(),
            *headings[group],
            lines=tuple(line for line in ordered if line.group is group),
            projects=known if group is SettingsGroup.PROJECT and len(known) > 1 else (),
        )
        for group in SettingsGroup
    )
    return SettingsOverviewPage(shell, tuple(group for group in groups if group.lines))


def project_href(slug: str) -> str:
    """The overview about a project."""
    return f"{OVERVIEW_HREF}?{urlencode({'project': slug})}" if slug else OVERVIEW_HREF
