"""The pages about people, built from a few values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bloop.accounts.contexts import FreshLink, InvitePage, LinkPage, LoginPage, SetUpPage
from bloop.accounts.invites.read import InviteRow
from bloop.accounts.pages import account_page, people_page
from bloop.accounts.passkeys.read import PasskeyRow
from bloop.accounts.people.read import Person, UserRow
from bloop.accounts.sign_ins.read import SignInSummary
from bloop.site.contexts import Page, Shell

NOW_S = 1_768_737_600
NOW_MS = NOW_S * 1000
ORIGIN = "https://errors.example.com"

Text = Callable[[str], str]


def a_user(say: Text, user_id: str = "u1", *, is_admin: bool = True) -> UserRow:
    return UserRow(user_id, say("ada"), say("ada"), is_admin, NOW_S - 9000)


def a_passkey(say: Text, passkey_id: str, *, used: bool = False, suspect: bool = False) -> PasskeyRow:
    used_at, suspect_at = NOW_S if used else None, NOW_S if suspect else None
    return PasskeyRow(passkey_id, "u1", b"c", b"k", 1, "usb", say("Laptop"), used, NOW_S - 9000, used_at, suspect_at)


def account_pages(shell: Shell, say: Text) -> Iterator[Page]:
    yield LoginPage(has_accounts=True, next_path=say("/issues"), origin=ORIGIN, problem=say("It was used before"))
    yield LoginPage(has_accounts=False, next_path="/", origin=ORIGIN, problem="")
    yield SetUpPage(token=say("token"), next_path=say("/"), origin=ORIGIN)
    yield InvitePage(token=say("token"), origin=ORIGIN)
    yield LinkPage(token=say("token"), username=say("ada"))
    sign_ins = [
        SignInSummary("aa", say("Firefox on Linux"), say("192.0.2.0/24"), NOW_S - 60, NOW_S),
        SignInSummary("bb", "", "", NOW_S - 6000, None),
    ]
    passkeys = [a_passkey(say, "p1", used=True), a_passkey(say, "p2", suspect=True)]
    for user, rows, seen in ((a_user(say), passkeys, sign_ins), (a_user(say), [], sign_ins[:1]), (None, [], [])):
        yield account_page(
            shell, user, rows, seen, this_sign_in="aa", is_admin=True, origin=ORIGIN, notice="link", now_ms=NOW_MS
        )
    people = [Person(a_user(say), 2, NOW_S), Person(a_user(say, "u2", is_admin=False), 1, None)]
    invites = [
        InviteRow(
            "i1",
            say("abcd1234"),
            say("ada"),
            NOW_S,
            NOW_S + 60,
            None,
            None,
            say("Grace"),
            say("grace@example.com"),
            NOW_S,
        ),
        InviteRow("i2", "abcd1234", None, NOW_S - 90, NOW_S + 60, NOW_S, say("grace"), "", "", None),
        InviteRow("i3", "abcd1234", None, NOW_S - 90, NOW_S - 60, None, None, "", say("ada@example.com"), None),
    ]
    fresh = FreshLink(say("Invitation"), say("Shown once"), say(f"{ORIGIN}/auth/login?invite=x"))
    belongings = {"u2": {"tokens": 2, "rules": 1, "issues": 3}}
    yield people_page(
        shell, people, belongings, invites, my_id="u1", sends_mail=True, fresh=fresh, problem="", notice="role",
        now_ms=NOW_MS,
    )  # fmt: skip
    yield people_page(
        shell, [], {}, [], my_id="operator", sends_mail=False, fresh=None, problem=say("No"), notice="", now_ms=NOW_MS
    )
