"""Rows → the settings pages of projects. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from bloop.projects.contexts import KeyLine, ProjectCounts, ProjectLine, ProjectPage, ProjectsPage, ProjectView
from bloop.projects.model import Oversize
from bloop.projects.read import KeyState, KeySummary, ProjectContents, ProjectRow
from bloop.site.contexts import Shell
from bloop.site.links import setup_href
from bloop.site.settings_nav import PROJECTS, TOKENS, settings_nav

DEFAULT = "default"
NOTICES = {
    "renamed": "Project renamed.",
    "options": "Saved. It holds from the next event on.",
    "key-ended": "Old key ended. It no longer works.",
    "deleted": "Project deleted. Its events are being removed in the background.",
}
_KEY_NOTE = "The new key is shown once. Update the apps that use the old key before it ends."
_KEY_NOTE_DEFAULT = (
    "This project also accepts events signed with auth.hmac_secret. Rotating the key does not change that secret; "
    "change it in the configuration."
)


def projects_page(
    shell: Shell,
    projects: Sequence[ProjectRow],
    people: Mapping[str, str],
    *,
    is_admin: bool,
    notice: str,
    problem: str,
    form: Mapping[str, str],
    now_ms: int,
) -> ProjectsPage:
    """`people` maps ids to names; `form` is the refused input while `problem` says why."""
    open_counts = {link.slug: link.open_count for link in shell.projects}
    return ProjectsPage(
        shell=shell,
        nav=settings_nav(PROJECTS, is_admin=is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=problem,
        projects=tuple(
            ProjectLine(
                href=project_href(p.slug),
                setup_href=setup_href(p.slug),
                name=p.name,
                slug=p.slug,
                open_count=open_counts.get(p.slug, 0),
                created_at_ms=p.created_at_ms,
                created_by=people.get(p.created_by or "", ""),
            )
            for p in sorted(projects, key=lambda p: p.name.casefold())
        ),
        name=form.get("name", ""),
        slug=form.get("slug", ""),
    )


def project_page(
    shell: Shell,
    project: ProjectRow,
    contents: ProjectContents,
    keys: Sequence[KeySummary],
    people: Mapping[str, str],
    *,
    may_manage: bool,
    is_admin: bool,
    notice: str,
    problem: str,
    now_ms: int,
) -> ProjectPage:
    view = ProjectView(
        href=project_href(project.slug),
        setup_href=setup_href(project.slug),
        tokens_href=f"{TOKENS.href}?{urlencode({'project': project.slug})}",
        ledger_href=f"/ledger?{urlencode({'project': project.slug})}",
        name=project.name,
        slug=project.slug,
        public_id=project.public_id,
        short_prefix=project.short_prefix,
        created_at_ms=project.created_at_ms,
        created_by=people.get(project.created_by or "", ""),
        key_made_at_ms=project.created_at_ms if project.key_made_at_ms is None else project.key_made_at_ms,
        key_note=_KEY_NOTE_DEFAULT if project.public_id == DEFAULT else _KEY_NOTE,
        is_trimming=project.oversize == Oversize.TRIM,
        search_keys=", ".join(project.listed_keys),
        can_be_deleted=project.public_id != DEFAULT,
    )
    return ProjectPage(
        shell=shell,
        nav=settings_nav(PROJECTS, is_admin=is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=problem,
        project=view,
        contents=ProjectCounts(*contents),
        keys=tuple(_key(key, project.slug) for key in keys if key.state is not KeyState.ENDED),
        may_manage=may_manage,
    )


def _key(key: KeySummary, slug: str) -> KeyLine:
    return KeyLine(
        end_href=f"{project_href(slug)}/keys/{key.made_at_ms}/end",
        start=key.start,
        is_current=key.state is KeyState.CURRENT,
        created_at_ms=key.made_at_ms,
        ends_at_ms=key.ends_at_ms,
        used_at_ms=key.used_at_ms,
    )


def project_href(slug: str) -> str:
    return f"{PROJECTS.href}/{quote(slug)}"
