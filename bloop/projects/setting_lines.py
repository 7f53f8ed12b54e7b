"""Projects on the overview of the settings: one project's settings, keys and tokens, and the number of projects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlencode

from bloop.base.clock import DAY_MS
from bloop.db.engine import Db
from bloop.projects.model import Oversize
from bloop.projects.read import KeyState, KeySummary, ProjectRow, get_project, list_keys, list_projects
from bloop.projects.tokens.read import TokenRow, list_tokens
from bloop.site.deps import Deps
from bloop.site.filters import relative
from bloop.site.links import setup_href
from bloop.site.settings_nav import PROJECTS, TOKENS, LineState, SettingLine, SettingsGroup, SettingsRequest, plural

PROJECT = SettingsGroup.PROJECT
EXPIRES_SOON_MS = 14 * DAY_MS


def setting_lines(deps: Deps, db: Db, request: SettingsRequest) -> Iterator[SettingLine]:
    project = get_project(db, request.slug) if request.slug else None
    if project is not None:
        yield from _of_project(db, project, request.now_ms)
    count = len(list_projects(db, request.principal.project_ids))
    yield SettingLine(SettingsGroup.SERVER, 20, "box", PROJECTS.label, plural(count, "project"), PROJECTS.href)


def _of_project(db: Db, project: ProjectRow, now_ms: int) -> Iterator[SettingLine]:
    href = f"{PROJECTS.href}/{quote(project.slug)}"
    prefix = project.short_prefix
    yield SettingLine(PROJECT, 10, "box", "General", f"Issues are named {prefix}-1, {prefix}-2, …", href)
    yield SettingLine(PROJECT, 20, "code", "Set-up", "Code for seven languages", setup_href(project.slug))
    yield SettingLine(PROJECT, 30, "key", "Keys", _keys(list_keys(db, project, now_ms), now_ms), f"{href}#keys")
    trims = project.oversize == Oversize.TRIM
    value = "Trimmed and stored" if trims else "Rejected, with the name of the field"
    yield SettingLine(PROJECT, 40, "filter", "Events that are too long", value, f"{href}#oversize")
    keys = plural(len(project.listed_keys), "key") if project.listed_keys else "The first sixteen of each event"
    yield SettingLine(PROJECT, 45, "search", "Tags in search", keys, f"{href}#search-keys")
    yield _tokens(list_tokens(db, project.id), project.slug, now_ms)


def _keys(keys: Sequence[KeySummary], now_ms: int) -> str:
    active = [key for key in keys if key.state is not KeyState.ENDED]
    used = [key.used_at_ms for key in active if key.used_at_ms is not None]
    last = f"last used {relative(max(used), now_ms)}" if used else "no use noted"
    return f"{len(active):,} active, {last}"


def _tokens(rows: Sequence[TokenRow], slug: str, now_ms: int) -> SettingLine:
    href = f"{TOKENS.href}?{urlencode({'project': slug})}"
    active = [
        row for row in rows if row.revoked_at is None and (row.expires_at is None or row.expires_at * 1000 > now_ms)
    ]
    ends = [row.expires_at * 1000 for row in active if row.expires_at is not None]
    soon = [at_ms for at_ms in ends if at_ms < now_ms + EXPIRES_SOON_MS]
    value = f"{len(active):,} active" if active else "None"
    if soon:
        value += f", {len(soon):,} {'expires' if len(soon) == 1 else 'expire'} {relative(min(soon), now_ms)}"
    return SettingLine(PROJECT, 60, "link", TOKENS.label, value, href, LineState.WARN if soon else LineState.NORMAL)
