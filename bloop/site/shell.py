"""Rows → what every page shares: the shell, links to issues, where an issue happened. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from bloop.issues.listing.state import IssueView
from bloop.issues.read import IssueRow
from bloop.projects.read import ProjectRow
from bloop.site.contexts import ProjectLink, Shell

ALL_PROJECTS = "All projects"

# Frames as the fingerprint leaves them: line numbers and addresses are gone already.
_PYTHON = re.compile(r'^File "(?P<file>[^"]*)",*(?: in (?P<function>.+))?$')
_RUBY = re.compile(r"^(?:from )?(?P<file>[^\s:]+):in [`'](?P<function>.+)'$")
_WITH_FILE = re.compile(r"^at (?P<function>.+) \((?P<file>[^()]+)\)$")
_APPLE = re.compile(r"^\d+\s+\S+\s+(?P<symbol>\S.*)$")


def shell(
    user_name: str, projects: Sequence[ProjectRow], open_counts: Mapping[int, int], view: IssueView, slug: str
) -> Shell:
    """The frame of a page about `slug` (`""` for all projects). Links keep the tab and the order of `view`."""
    links = [
        ProjectLink(p.slug, p.name, view.in_project(p.slug).href, open_counts.get(p.id, 0))
        for p in sorted(projects, key=lambda p: p.name.casefold())
    ]
    if len(links) != 1:
        total = sum(open_counts.values())
        links.insert(0, ProjectLink("", ALL_PROJECTS, view.in_project("").href, total))
    current = next((link for link in links if link.slug == slug), links[0])
    return Shell(user_name, tuple(links), current)


def issue_href(short_id: str) -> str:
    return f"/issues/{quote(short_id, safe='')}"


def where_of(issue: IssueRow) -> str:
    """The place a person recognises: the application frame on top, else the route, else the screen."""
    frame = place(issue.culprit or "")
    if frame and frame not in issue.message:  # a stack of unknown shape may begin with the message
        return frame
    return issue.route or issue.screen or ""


def place(frame: str) -> str:
    """The line of a stack an issue hangs on, shortened to what names the place: `CartStore.total (cart.js)`."""
    frame = frame.strip()
    if match := _PYTHON.match(frame):
        return f"{match['function']} ({_last_two(match['file'])})" if match["function"] else _last_two(match["file"])
    if match := _RUBY.match(frame):
        return f"{match['function']} ({_last_two(match['file'])})"
    if match := _WITH_FILE.match(frame):
        return f"{match['function']} ({match['file'].rpartition('/')[2]})"
    if match := _APPLE.match(frame):
        return match["symbol"]
    return frame.removeprefix("at ")


def _last_two(path: str) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-2:])
