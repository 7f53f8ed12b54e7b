"""Contexts of the page of API tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Option
from bloop.site.settings_nav import SettingsPage


@dataclass(frozen=True, slots=True)
class TokenLine:
    """`state` is open, expired or revoked. Times are None for never. `owner` is empty for a token without one."""

    href: str
    name: str
    token_prefix: str
    project_name: str
    scopes: tuple[str, ...]
    created_at_ms: int
    owner: str
    expires_at_ms: int | None
    last_used_at_ms: int | None
    state: str
    may_revoke: bool


@dataclass(frozen=True, slots=True)
class ScopeBox:
    """A checkbox of the form."""

    name: str
    description: str
    checked: bool


@dataclass(frozen=True, slots=True)
class FreshToken:
    """The token this request created, in clear: shown only in this answer."""

    title: str
    note: str
    token: str
    example: str


@dataclass(frozen=True, slots=True)
class TokensPage(SettingsPage):
    """`/settings/tokens`. `options` are the projects the user may create tokens for."""

    template: ClassVar[str] = "projects/tokens.html"

    problem: str
    fresh: FreshToken | None
    tokens: tuple[TokenLine, ...]
    options: tuple[Option, ...]
    scopes: tuple[ScopeBox, ...]
    lifetimes: tuple[Option, ...]
    name: str
