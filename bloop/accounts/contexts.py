"""Contexts of the pages about people: sign-in, your account, all accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Page
from bloop.site.settings_nav import SettingsPage

# Signing in ---------------------------------------------------------------------------------------------------------
# Passkeys work only on `origin`; on any other address the page says so.


@dataclass(frozen=True, slots=True)
class LoginPage(Page):
    """`/auth/login`. `problem` says why a link or an invitation was refused."""

    template: ClassVar[str] = "accounts/login.html"

    has_accounts: bool
    next_path: str
    origin: str
    problem: str


@dataclass(frozen=True, slots=True)
class SetUpPage(Page):
    """`/auth/login?token=` while there is no account: creates the first one."""

    template: ClassVar[str] = "accounts/set_up.html"

    token: str
    next_path: str
    origin: str


@dataclass(frozen=True, slots=True)
class InvitePage(Page):
    """`/auth/login?invite=`: an invited person creates an account."""

    template: ClassVar[str] = "accounts/invite.html"

    token: str
    origin: str


@dataclass(frozen=True, slots=True)
class LinkPage(Page):
    """`/auth/login?token=` for one person: signs them in without a passkey."""

    template: ClassVar[str] = "accounts/link.html"

    token: str
    username: str


# Settings -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PasskeyLine:
    """A passkey of the signed-in user. Forms post below `href`."""

    href: str
    name: str
    is_synced: bool
    is_suspect: bool
    created_at_ms: int
    last_used_at_ms: int | None


@dataclass(frozen=True, slots=True)
class SignInLine:
    """A browser the user is signed in on; `is_this` marks the one that sent this request."""

    href: str
    agent: str
    network: str
    created_at_ms: int
    last_seen_at_ms: int | None
    is_this: bool


@dataclass(frozen=True, slots=True)
class AccountPage(SettingsPage):
    """`/settings/account`. `username` is empty for the operator, who has no account yet."""

    template: ClassVar[str] = "accounts/account.html"

    username: str
    role: str
    passkeys: tuple[PasskeyLine, ...]
    sign_ins: tuple[SignInLine, ...]
    has_other_sign_ins: bool
    origin: str


@dataclass(frozen=True, slots=True)
class PersonLine:
    """An account as an admin sees it. Admins cannot change their own account here.

    `inheritance` says what becomes the admin's when the account is removed; empty when nothing does.
    """

    href: str
    username: str
    is_admin: bool
    is_me: bool
    passkey_count: int
    created_at_ms: int
    last_seen_at_ms: int | None
    token_count: int
    inheritance: str


@dataclass(frozen=True, slots=True)
class InviteLine:
    href: str
    token_prefix: str
    created_by: str
    created_at_ms: int
    expires_at_ms: int
    state: str  # open, used, expired
    used_by: str
    name: str
    email: str
    was_mailed: bool


@dataclass(frozen=True, slots=True)
class FreshLink:
    """A secret link, shown only in this answer."""

    title: str
    note: str
    url: str


@dataclass(frozen=True, slots=True)
class PeoplePage(SettingsPage):
    """`/settings/people`. `fresh` is the link this request created, else None; `sends_mail`: [smtp] is set."""

    template: ClassVar[str] = "accounts/people.html"

    fresh: FreshLink | None
    problem: str
    sends_mail: bool
    people: tuple[PersonLine, ...]
    invites: tuple[InviteLine, ...]
