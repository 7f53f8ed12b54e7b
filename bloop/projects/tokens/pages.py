"""Rows → the settings page of API tokens. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from bloop.projects.read import ProjectRow
from bloop.projects.tokens.contexts import FreshToken, ScopeBox, TokenLine, TokensPage
from bloop.projects.tokens.read import TokenRow
from bloop.site.contexts import Option, Shell
from bloop.site.settings_nav import TOKENS, settings_nav

NOTICES = {"revoked": "The token was revoked. It opens nothing any more."}
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


class TokenRows(NamedTuple):
    """What the page shows. `tokens` come with whether one may revoke them, `names` are those of projects."""

    tokens: Sequence[tuple[TokenRow, bool]] = ()
    managed: Sequence[ProjectRow] = ()
    names: Mapping[int, str] = {}
    people: Mapping[str, str] = {}


class TokenForm(NamedTuple):
    """What came of the form: the token that was made, or what was typed and why it will not do."""

    typed: Mapping[str, str] = {}
    problem: str = ""
    fresh: FreshToken | None = None


def tokens_page(
    shell: Shell, rows: TokenRows, form: TokenForm, *, chosen: str, is_admin: bool, notice: str, now_ms: int
) -> TokensPage:
    """`chosen` is a slug or nothing."""
    typed = form.typed
    asked = typed.get("project") or chosen
    lifetime = typed.get("expires_in_days", LIFETIME_DEFAULT)
    return TokensPage(
        shell=shell,
        nav=settings_nav(TOKENS, is_admin=is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=form.problem,
        fresh=form.fresh,
        tokens=tuple(_token(row, may_revoke, rows.names, rows.people, now_ms) for row, may_revoke in rows.tokens),
        options=tuple(Option(p.slug, p.name, p.slug == asked) for p in rows.managed),
        scopes=tuple(
            ScopeBox(name, what, name in typed if typed else name == "errors:read")
            for name, what in SCOPES.items()
            if is_admin or name not in ADMINS_SCOPES
        ),
        lifetimes=tuple(Option(days, words, days == lifetime) for days, words in LIFETIMES.items()),
        name=typed.get("name", ""),
    )


def fresh_token(made: Any, project_name: str, origin: str) -> FreshToken:
    """`made` has just been stored; this is the one time its token is seen."""
    example = f"curl -H 'Authorization: Bearer {made.token}' {origin.rstrip('/')}/v1/errors"
    note = f"It opens {project_name} and is not shown again: only its hash is kept."
    return FreshToken(f"Token “{made.name}”", note, made.token, example)


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
