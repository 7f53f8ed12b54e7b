"""Rows → the settings page of API tokens. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from bloop.projects.read import ProjectRow
from bloop.projects.tokens.contexts import FreshToken, ScopeBox, TokenLine, TokensPage
from bloop.projects.tokens.read import TokenRow
from bloop.projects.tokens.store import NewToken
from bloop.site.contexts import Option, Shell
from bloop.site.settings_nav import TOKENS, settings_nav

NOTICES = {"revoked": "Token revoked. It no longer works."}
# Scopes in the form. Those for pages that do not exist yet are for the API only.
SCOPES = {
    "errors:read": "Read issues, events, trends, the ledger",
    "errors:write": "Resolve, mute, ignore and reopen issues",
    "sourcemaps:read": "List source maps",
    "sourcemaps:write": "Upload and delete source maps",
    "alerts:read": "Read alert rules",
    "alerts:write": "Change alert rules",
    "metrics:read": "Read /metrics, which covers all projects",
}
ADMINS_SCOPES = frozenset({"metrics:read"})
LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "Never"}
LIFETIME_DEFAULT = "90"


class TokenRows(NamedTuple):
    """The rows of the page. `tokens` come with whether the user may revoke them, `names` are project names."""

    tokens: Sequence[tuple[TokenRow, bool]] = ()
    managed: Sequence[ProjectRow] = ()
    names: Mapping[int, str] = {}


class TokenForm(NamedTuple):
    """The submitted form: the token it created, or its input and why it was refused."""

    values: Mapping[str, str] = {}
    problem: str = ""
    fresh: FreshToken | None = None


def tokens_page(
    shell: Shell, rows: TokenRows, form: TokenForm, *, chosen: str, is_admin: bool, notice: str, now_ms: int
) -> TokensPage:
    """`chosen` is a slug or empty."""
    values = form.values
    selected_slug = values.get("project") or chosen
    lifetime = values.get("expires_in_days", LIFETIME_DEFAULT)
    return TokensPage(
        shell=shell,
        nav=settings_nav(TOKENS, is_admin=is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=form.problem,
        fresh=form.fresh,
        tokens=tuple(_token(row, may_revoke, rows.names, now_ms) for row, may_revoke in rows.tokens),
        options=tuple(Option(p.slug, p.name, p.slug == selected_slug) for p in rows.managed),
        scopes=tuple(
            ScopeBox(name, description, name in values if values else name == "errors:read")
            for name, description in SCOPES.items()
            if is_admin or name not in ADMINS_SCOPES
        ),
        lifetimes=tuple(Option(days, label, days == lifetime) for days, label in LIFETIMES.items()),
        name=values.get("name", ""),
    )


def fresh_token(token: NewToken, project_name: str, origin: str) -> FreshToken:
    """`token` was just stored; it is shown only now."""
    example = f"curl -H 'Authorization: Bearer {token.token}' {origin.rstrip('/')}/v1/errors"
    note = f"Gives access to {project_name}. It is not shown again: only its hash is stored."
    return FreshToken(f"Token “{token.name}”", note, token.token, example)


def _token(row: TokenRow, may_revoke: bool, names: Mapping[int, str], now_ms: int) -> TokenLine:
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
        owner=row.created_by_name or "",
        expires_at_ms=_ms(row.expires_at),
        last_used_at_ms=_ms(row.last_used_at),
        state=state,
        may_revoke=may_revoke and state == "open",
    )


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000
