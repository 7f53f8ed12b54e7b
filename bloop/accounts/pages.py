"""Rows → the account page and the page of people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bloop.accounts.contexts import AccountPage, FreshLink, InviteLine, PasskeyLine, PeoplePage, PersonLine, SignInLine
from bloop.accounts.invites.mail import MailOutcome
from bloop.accounts.invites.read import InviteRow
from bloop.accounts.passkeys.read import PasskeyRow
from bloop.accounts.people.read import Person, UserRow
from bloop.accounts.sign_ins.read import SignInSummary
from bloop.site.contexts import Shell
from bloop.site.settings_nav import ACCOUNT, PEOPLE, settings_nav

# Messages shown after a change. The URL carries the key, never the sentence.
NOTICES = {
    "link": "You signed in with a one-time link. Add a passkey for this device and remove the one you lost.",
    "passkey-added": "Passkey added.",
    "passkey-renamed": "Passkey renamed.",
    "passkey-removed": "Passkey removed. It can no longer sign you in.",
    "sign-in-ended": "Signed out that browser.",
    "sign-ins-ended": "Signed out all other browsers.",
    "role": "Role changed, effective immediately.",
    "removed": "Account removed and its API tokens revoked. Its alert rules and assigned issues are now yours: check "
    "where the rules send.",
    "removed-tokens-kept": "Account removed. Its API tokens, alert rules and assigned issues are now yours: check who "
    "has a copy of the tokens, and where the rules send.",
    "invite-removed": "Invitation revoked.",
}
UNKNOWN_AGENT = "Unknown browser"
DELETED_USER = "a deleted user"


def account_page(
    shell: Shell,
    user: UserRow | None,
    passkeys: Sequence[PasskeyRow],
    sign_ins: Sequence[SignInSummary],
    *,
    this_sign_in: str,
    is_admin: bool,
    origin: str,
    notice: str,
    now_ms: int,
) -> AccountPage:
    """`user` is None for the operator; `this_sign_in` is the handle of the sign-in that sent the request."""
    lines = tuple(_sign_in(row, this_sign_in) for row in sign_ins)
    return AccountPage(
        shell=shell,
        nav=settings_nav(ACCOUNT, is_admin=is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        username=user.username if user else "",
        role="Admin" if is_admin else "User",
        passkeys=tuple(_passkey(row) for row in passkeys),
        sign_ins=lines,
        has_other_sign_ins=any(not line.is_this for line in lines),
        origin=origin,
    )


def people_page(
    shell: Shell,
    people: Sequence[Person],
    belongings: Mapping[str, Mapping[str, int]],
    invites: Sequence[InviteRow],
    *,
    my_id: str,
    sends_mail: bool,
    fresh: FreshLink | None,
    problem: str,
    notice: str,
    now_ms: int,
) -> PeoplePage:
    return PeoplePage(
        shell=shell,
        nav=settings_nav(PEOPLE, is_admin=True),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        fresh=fresh,
        problem=problem,
        sends_mail=sends_mail,
        people=tuple(_person(person, belongings.get(person.user.id, {}), my_id) for person in people),
        invites=tuple(_invite(row, now_ms) for row in invites),
    )


def invite_note(mail: MailOutcome | None, email: str, days: int) -> str:
    """What became of a new invitation, above its link."""
    lifetime = f"The link lets one person create an account within {days} days. It is not shown again."
    if mail is None:
        return lifetime
    if mail.sent:
        return f"Sent to {email}. {lifetime}"
    return f"The mail to {email} was not sent: {mail.detail}. Share the link yourself. {lifetime}"


def _passkey(row: PasskeyRow) -> PasskeyLine:
    return PasskeyLine(
        href=f"{ACCOUNT.href}/passkeys/{row.id}",
        name=row.name,
        is_synced=bool(row.is_synced),
        is_suspect=row.suspect_at is not None,
        created_at_ms=row.created_at * 1000,
        last_used_at_ms=_ms(row.last_used_at),
    )


def _sign_in(row: SignInSummary, this_sign_in: str) -> SignInLine:
    return SignInLine(
        href=f"{ACCOUNT.href}/sign-ins/{row.handle}",
        agent=row.agent or UNKNOWN_AGENT,
        network=row.network,
        created_at_ms=row.created_at * 1000,
        last_seen_at_ms=_ms(row.last_seen_at),
        is_this=row.handle == this_sign_in,
    )


def _person(person: Person, belongings: Mapping[str, int], my_id: str) -> PersonLine:
    user = person.user
    return PersonLine(
        href=f"{PEOPLE.href}/{user.id}",
        username=user.username,
        is_admin=user.is_admin,
        is_me=user.id == my_id,
        passkey_count=person.passkey_count,
        created_at_ms=user.created_at * 1000,
        last_seen_at_ms=_ms(person.last_seen_at),
        token_count=belongings.get("tokens", 0),
        inheritance=_inheritance(belongings.get("rules", 0), belongings.get("issues", 0)),
    )


def _inheritance(rules: int, issues: int) -> str:
    """What the admin gets who removes the account; empty for nothing."""
    parts = [
        f"{rules} alert rule{'s' if rules != 1 else ''} with the channels and webhooks" if rules else "",
        f"{issues} assigned issue{'s' if issues != 1 else ''}" if issues else "",
    ]
    given = " and ".join(filter(None, parts))
    becomes = "become yours" if rules + issues > 1 else "becomes yours"
    return f"{given} {becomes}." if given else ""


def _invite(row: InviteRow, now_ms: int) -> InviteLine:
    state = "used" if row.used_at is not None else "open" if row.expires_at * 1000 > now_ms else "expired"
    return InviteLine(
        href=f"{PEOPLE.href}/invites/{row.id}",
        token_prefix=row.token_prefix,
        created_by=row.created_by_name or "",
        created_at_ms=row.created_at * 1000,
        expires_at_ms=row.expires_at * 1000,
        state=state,
        used_by=row.used_by_name or DELETED_USER if state == "used" else "",
        name=row.name,
        email=row.email,
        was_mailed=row.mailed_at is not None,
    )


def _ms(at_s: int | None) -> int | None:
    return None if at_s is None else at_s * 1000
