"""What the pages about people show: signing in, one's own account, everybody's accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.site.contexts import Page
from bloop.site.settings_nav import SettingsPage

# Signing in ---------------------------------------------------------------------------------------------------------
# `origin` is where passkeys work; on any other address the page says so instead of failing without a word.


@dataclass(frozen=True, slots=True)
class LoginPage(Page):
    """`/auth/login`. `problem` says why a link or an invitation did not do."""

    template: ClassVar[str] = "accounts/login.html"

    has_accounts: bool
    next_path: str
    origin: str
    problem: str


@dataclass(frozen=True, slots=True)
class SetUpPage(Page):
    """`/auth/login?token=` while nobody has an account: the first one is made here."""

    template: ClassVar[str] = "accounts/set_up.html"

    token: str
    next_path: str
    origin: str


@dataclass(frozen=True, slots=True)
class InvitePage(Page):
    """`/auth/login?invite=`: somebody invited makes an account."""

    template: ClassVar[str] = "accounts/invite.html"

    token: str
    origin: str


@dataclass(frozen=True, slots=True)
class LinkPage(Page):
    """`/auth/login?token=` for one person: the way back in without a passkey."""

    template: ClassVar[str] = "accounts/link.html"

    token: str
    username: str


# Settings -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PasskeyLine:
    """A passkey of the person who looks. Forms post below `href`."""

    href: str
    name: str
    is_synced: bool
    is_suspect: bool
    created_at_ms: int
    last_used_at_ms: int | None


@dataclass(frozen=True, slots=True)
class SignInLine:
    """A browser the person is signed in on; `is_this` is the one they look with."""

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
    """An account as an admin sees it. Of oneself one changes nothing here."""

    href: str
    username: str
    is_admin: bool
    is_me: bool
    passkey_count: int
    created_at_ms: int
    last_seen_at_ms: int | None


@dataclass(frozen=True, slots=True)
class InviteLine:
    href: str
    token_prefix: str
    created_by: str
    created_at_ms: int
    expires_at_ms: int
    state: str  # open, used, expired
    used_by: str


@dataclass(frozen=True, slots=True)
class FreshLink:
    """A link that is shown this once."""

    title: str
    note: str
    url: str


@dataclass(frozen=True, slots=True)
class PeoplePage(SettingsPage):
    """`/settings/people`. `fresh` is the link that was just made, None on every other visit."""

    template: ClassVar[str] = "accounts/people.html"

    fresh: FreshLink | None
    people: tuple[PersonLine, ...]
    invites: tuple[InviteLine, ...]
