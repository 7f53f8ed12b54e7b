"""Rows → the settings pages of projects and of their tokens. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from bloop.projects.read import ProjectContents, ProjectRow
from bloop.projects.tokens.read import TokenRow
from bloop.site.contexts import Option, Shell
from bloop.site.settings_contexts import (
    Contents,
    FreshToken,
    ProjectLine,
    ProjectPage,
    ProjectsPage,
    ProjectView,
    ScopeBox,
    TokenLine,
    TokensPage,
)
from bloop.site.settings_nav import PROJECTS, TOKENS, settings_nav

DEFAULT = "default"
NOTICES = {
    "renamed": "The project has its new name.",
    "deleted": "The project is gone. Its events are being removed in the background.",
    "revoked": "The token was revoked. It opens nothing any more.",
}
# What the form offers. Scopes for pages that do not exist yet are left to the API.
SCOPES = {
    "errors:read": "Read issues, events, trends, the ledger",
    "errors:write": "Resolve, mute, ignore and reopen issues",
    "sourcemaps:read": "List source maps",
    "sourcemaps:write": "Upload and delete source maps",
    "alerts:read": "Read alert rules",
    "alerts:write": "Change alert rules",
    "metrics:read": "Read /metrics, which is about all projects",
}
ADMINS_SCOPES = frozenset({"metrics:read"})
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "Never"}
LIFETIME_DEFAULT = "90"

_KEY_NOTE = (
    "The old key is refused from the next request on, by every worker. Apps that use it have to be changed first."
)
_KEY_NOTE_DEFAULT = (
    "This project also takes whatever is signed with auth.hmac_secret; that goes on working and is changed in the "
    "configuration."
)


def projects_page(
    shell: Shell,
    projects: Sequence[ProjectRow],
    people: Mapping[str, str],
    open_counts: Mapping[int, int],
    *,
    is_admin: bool,
    notice: str,
    problem: str,
    form: Mapping[str, str],
    now_ms: int,
) -> ProjectsPage:
    """`people` maps ids to names; `form` is what was typed when `problem` says it will not do."""
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
                open_count=open_counts.get(p.id, 0),
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
        can_be_deleted=project.public_id != DEFAULT,
    )
    return ProjectPage(
        shell=shell,
        nav=settings_nav(PROJECTS, is_admin=is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=problem,
        project=view,
        contents=Contents(*contents),
        may_manage=may_manage,
    )


def tokens_page(
    shell: Shell,
    tokens: Sequence[tuple[TokenRow, bool]],
    managed: Sequence[ProjectRow],
    names: Mapping[int, str],
    people: Mapping[str, str],
    *,
    chosen: str,
    is_admin: bool,
    fresh: FreshToken | None,
    notice: str,
    problem: str,
    form: Mapping[str, str],
    now_ms: int,
) -> TokensPage:
    """`tokens` come with whether one may revoke them, `names` are those of projects, `chosen` is a slug or nothing."""
    asked = form.get("project") or chosen
    lifetime = form.get("expires_in_days", LIFETIME_DEFAULT)
    return TokensPage(
        shell=shell,
        nav=settings_nav(TOKENS, is_admin=is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=problem,
        fresh=fresh,
        tokens=tuple(_token(row, may_revoke, names, people, now_ms) for row, may_revoke in tokens),
        options=tuple(Option(p.slug, p.name, p.slug == asked) for p in managed),
        scopes=tuple(
            ScopeBox(name, what, name in form if form else name == "errors:read")
            for name, what in SCOPES.items()
            if is_admin or name not in ADMINS_SCOPES
        ),
        lifetimes=tuple(Option(days, words, days == lifetime) for days, words in LIFETIMES.items()),
        name=form.get("name", ""),
    )


def fresh_token(made: Any, project_name: str, origin: str) -> FreshToken:
    """`made` has just been stored; this is the one time its token is seen."""
    example = f"curl -H 'Authorization: Bearer {made.token}' {origin.rstrip('/')}/v1/errors"
    note = f"It opens {project_name} and is not shown again: only its hash is kept."
    return FreshToken(f"Token “{made.name}”", note, made.token, example)


def project_href(slug: str) -> str:
    return f"{PROJECTS.href}/{quote(slug)}"


def setup_href(slug: str) -> str:
    return f"/projects/{quote(slug)}/setup"


def _token(
    row: TokenRow, may_revoke: bool, names: Mapping[int, str], people: Mapping[str, str], now_ms: int
) -> TokenLine:
    state = "open"
    if row.revoked_at is not None:
        state = "revoked"
    elif row.expires_at is not None and row.expires_at * 1000 < now_ms - now_ms % 1000:
        state = "expired"
    return TokenLine(
        href=f"{TOKENS.href}/{quote(row.id)}",
        name=row.name,
        token_prefix=row.token_prefix,
        project_name=names.get(row.project_id, ""),
        scopes=tuple(row.scopes.split()),
        created_at_ms=row.created_at * 1000,
        created_by=people.get(row.created_by or "", ""),
        expires_at_ms=_ms(row.expires_at),
        last_used_at_ms=_ms(row.last_used_at),
        state=state,
        may_revoke=may_revoke and state == "open",
    )


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000
