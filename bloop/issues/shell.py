"""The frame around every page: the projects one sees, with the number of open issues in each, and saved views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bloop.auth.principal import Principal
from bloop.db.engine import Db
from bloop.issues.listing.state import IssueView
from bloop.issues.read import open_counts
from bloop.issues.saved_views.read import SavedViewRow, visible_views
from bloop.projects.read import ProjectRow, list_projects, visible_projects
from bloop.projects.uses.read import ProjectUses, project_uses
from bloop.releases import read as releases
from bloop.site.contexts import PINNED, RECENT, ProjectLink, Shell, ViewLink

ALL_PROJECTS = "All projects"
RECENT_SHOWN = 5  # projects, and only where there are more than LIST_SHORT: a list that fits on a screen does not jump
LIST_SHORT = 8
VIEWS_SHOWN = 12  # in the rail; all of them are in the settings
NO_USES = ProjectUses()


def read_shell(db: Db, principal: Principal, slug: str, href_of: Callable[[str], str] | None = None) -> Shell:
    """The frame of a page about the project `slug` (`""` for all). `href_of` says where its switcher leads to for a
    slug; without it, to the list of open issues."""
    projects = list_projects(db, principal.project_ids)
    counts = open_counts(db, [project.id for project in projects])
    return make_shell(
        principal.name,
        projects,
        counts,
        href_of or _list_href,
        slug,
        uses=project_uses(db, principal),
        views=visible_views(db, principal.id),
    )


def scope_names(db: Db, principal: Principal, slug: str) -> tuple[list[str], list[str]]:
    """The environments and releases of the project `slug`, of all visible ones for `""`; the last seen first."""
    project_ids = visible_projects(db, principal, slug)
    return releases.list_environments(db, project_ids), releases.list_releases(db, project_ids)


def make_shell(
    user_name: str,
    projects: Sequence[ProjectRow],
    open_counts: Mapping[int, int],
    href_of: Callable[[str], str],
    slug: str,
    *,
    uses: ProjectUses = NO_USES,
    views: Sequence[SavedViewRow] = (),
) -> Shell:
    """The same from rows. Pure."""
    groups = _groups(projects, uses)
    links = [
        ProjectLink(p.slug, p.name, href_of(p.slug), open_counts.get(p.id, 0), groups.get(p.id, ""))
        for p in _ordered(projects, groups)
    ]
    if len(links) != 1:
        total = sum(open_counts.values())
        links.insert(0, ProjectLink("", ALL_PROJECTS, href_of(""), total))
    current = next((link for link in links if link.slug == slug), links[0])
    slugs = {p.id: p.slug for p in projects}
    return Shell(
        user_name,
        tuple(links),
        current,
        views=tuple(ViewLink(row.name, row.href, current=False) for row in views[:VIEWS_SHOWN]),
        last_opened=slugs.get(uses.recent[0], "") if uses.recent else "",
    )


def _groups(projects: Sequence[ProjectRow], uses: ProjectUses) -> dict[int, str]:
    """Project id → its group, for those that come first, in that order."""
    known = {p.id for p in projects}
    pinned = [project_id for project_id in uses.pinned if project_id in known]
    recent = [project_id for project_id in uses.recent if project_id in known and project_id not in pinned]
    shown = recent[:RECENT_SHOWN] if len(projects) > LIST_SHORT else []
    return dict.fromkeys(pinned, PINNED) | dict.fromkeys(shown, RECENT)


def _ordered(projects: Sequence[ProjectRow], groups: Mapping[int, str]) -> list[ProjectRow]:
    """Those of the groups first, then the rest by name."""
    by_id = {p.id: p for p in projects}
    rest = sorted((p for p in projects if p.id not in groups), key=lambda p: p.name.casefold())
    return [*(by_id[project_id] for project_id in groups), *rest]


def _list_href(slug: str) -> str:
    return IssueView(project=slug).href
