"""The frame around every page: the projects one sees, with the number of open issues in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bloop.auth.principal import Principal
from bloop.db.engine import Db
from bloop.issues.listing.state import IssueView
from bloop.issues.read import open_counts
from bloop.projects.read import ProjectRow, list_projects, visible_projects
from bloop.releases import read as releases
from bloop.site.contexts import ProjectLink, Shell

ALL_PROJECTS = "All projects"


def read_shell(db: Db, principal: Principal, slug: str, href_of: Callable[[str], str] | None = None) -> Shell:
    """The frame of a page about the project `slug` (`""` for all). `href_of` says where its switcher leads to for a
    slug; without it, to the list of open issues."""
    projects = list_projects(db, principal.project_ids)
    counts = open_counts(db, [project.id for project in projects])
    return make_shell(principal.name, projects, counts, href_of or _list_href, slug)


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
) -> Shell:
    """The same from rows. Pure."""
    links = [
        ProjectLink(p.slug, p.name, href_of(p.slug), open_counts.get(p.id, 0))
        for p in sorted(projects, key=lambda p: p.name.casefold())
    ]
    if len(links) != 1:
        total = sum(open_counts.values())
        links.insert(0, ProjectLink("", ALL_PROJECTS, href_of(""), total))
    current = next((link for link in links if link.slug == slug), links[0])
    return Shell(user_name, tuple(links), current)


def _list_href(slug: str) -> str:
    return IssueView(project=slug).href
