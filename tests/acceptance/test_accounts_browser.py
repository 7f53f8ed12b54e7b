"""Accounts as people use them: a real bloop, Chromium, and authenticators that its DevTools provide."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect

from bloop.accounts.passkeys.read import has_passkeys
from bloop.accounts.passkeys.store import add_passkey
from bloop.accounts.people.store import create_user
from bloop.base import clock
from bloop.db import connection
from tests.acceptance.harness import BloopServer, sign_in_link
from tests.chromium import contexts

pytestmark = pytest.mark.browser


class Device:
    """The browser of one user: a context, one page in it, and authenticators to add and remove."""

    def __init__(self, server: BloopServer, context: BrowserContext) -> None:
        self.url = f"http://localhost:{server.port}"
        self.context = context
        self.page: Page = context.new_page()
        self._devtools: CDPSession = context.new_cdp_session(self.page)
        self._devtools.send("WebAuthn.enable")
        self._authenticator = ""

    def plug_in(self, **options: Any) -> None:
        """Replace the authenticator with a new, empty one."""
        if self._authenticator:
            self._devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self._authenticator})
        defaults = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        added = self._devtools.send("WebAuthn.addVirtualAuthenticator", {"options": defaults | options})
        self._authenticator = added["authenticatorId"]

    def passkeys(self) -> int:
        answer = self._devtools.send("WebAuthn.getCredentials", {"authenticatorId": self._authenticator})
        return len(answer["credentials"])

    def goto(self, path: str) -> int:
        """The status of the page."""
        answer = self.page.goto(path if path.startswith("http") else self.url + path)
        assert answer is not None
        return answer.status

    def press(self, name: str | re.Pattern[str], *, inside: str = "body") -> None:
        self.page.locator(inside).get_by_role("button", name=name).click()

    def make_account(self, link: str, name: str, lands_on: str = "/") -> None:
        self.goto(link)
        self.page.get_by_label("Your name").fill(name)
        self.press("Create a passkey")
        self.page.wait_for_url(self.url + lands_on)

    def invite(self) -> None:
        self.page.locator("summary", has_text="Invite teammate").click()
        self.press("Create invitation")

    def sign_out(self) -> None:
        self.goto("/")
        self.page.locator(".rail-you summary", has_text="Signed in as").click()
        self.press("Sign out", inside=".rail")
        self.page.wait_for_url("**/auth/login")

    def sign_in(self) -> None:
        self.press("Sign in with a passkey")
        self.page.wait_for_url(f"{self.url}/")


@pytest.fixture(scope="module")
def bloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BloopServer]:
    """Nobody has an account yet. What the tests ask for in seconds, people ask for in minutes: no limit."""
    server = BloopServer(tmp_path_factory.mktemp("accounts"), BLOOP__RATE_LIMIT__AUTH_PER_SECOND="0")
    try:
        yield server.start()
    finally:
        server.end()


@pytest.fixture
def with_account(bloop: BloopServer) -> BloopServer:
    """The same, where at least Ada has an account and a passkey."""
    with contextlib.closing(connection.open_control(bloop.database_path)) as db, connection.immediate(db):
        if not has_passkeys(db):
            user_id, now_ms = create_user(db, username="Ada Lovelace", now_ms=1), clock.now_ms()
            add_passkey(
                db, user_id, credential_id=b"1", public_key=b"k", sign_count=0, transports=[], name="Lost",
                is_synced=False, now_ms=now_ms,
            )  # fmt: skip
    return bloop


@pytest.fixture
def device(bloop: BloopServer, chromium: Browser) -> Iterator[Callable[..., Device]]:
    with contexts(chromium) as make:
        yield lambda **options: Device(bloop, make(**options))


def passkeys_of(page: Page) -> Any:
    return page.locator("section[aria-labelledby=passkeys] .things > li")


def test_from_the_set_up_link_to_a_removed_account(bloop: BloopServer, device: Callable[..., Device]) -> None:
    # The first account, by the link that was printed at the start.
    ada = device()
    ada.plug_in()
    ada.goto("/")
    expect(ada.page.get_by_text("There is no account yet")).to_be_visible()
    ada.make_account(sign_in_link(bloop.output), "Ada Lovelace", lands_on="/projects/default/setup")
    assert ada.passkeys() == 1
    assert ada.goto(sign_in_link(bloop.output)) == 200
    expect(ada.page.get_by_role("alert")).to_contain_text("has been used or has expired")

    # Out, and in again.
    ada.sign_out()
    assert ada.page.goto(f"{ada.url}/settings/people") is not None
    ada.page.wait_for_url("**/auth/login?next=**")
    ada.press("Sign in with a passkey")
    ada.page.wait_for_url("**/settings/people")

    # A second passkey on another device; the first one is removed, the last one cannot be.
    ada.goto("/settings/account")
    expect(passkeys_of(ada.page)).to_have_count(1)
    ada.plug_in()
    ada.page.get_by_label("Passkey name").fill("Phone")
    ada.press("Add passkey")
    expect(ada.page.get_by_role("status")).to_have_text("Passkey added.")
    expect(passkeys_of(ada.page)).to_have_count(2)
    first = passkeys_of(ada.page).filter(has_text="Chrome on Linux")
    first.get_by_text("Remove", exact=False).first.click()
    first.get_by_role("button", name="Remove this passkey").click()
    expect(passkeys_of(ada.page)).to_contain_text(["Phone"])  # that one alone
    expect(ada.page.get_by_role("button", name="Remove this passkey")).to_have_count(0)
    ada.sign_out()
    ada.sign_in()

    # Somebody else, by invitation.
    ada.goto("/settings/people")
    ada.invite()
    invitation = ada.page.locator("#fresh-link").inner_text()
    expect(ada.page.locator(".once").get_by_role("button", name="Copy")).to_be_visible()
    ben = device()
    ben.plug_in()
    ben.make_account(invitation, "Ben")
    assert ben.goto("/settings/people") == 403
    assert ben.goto(invitation) == 200
    expect(ben.page.get_by_role("alert")).to_contain_text("has been used or has expired")

    # Promoted, demoted: at once.
    ada.goto("/settings/people")
    ada.press(re.compile("Make admin.*Ben"))
    expect(ada.page.locator("[data-person]", has_text="Ben").locator(".badge", has_text="Admin")).to_be_visible()
    assert ben.goto("/settings/people") == 200
    expect(ben.page.get_by_role("button", name=re.compile("Demote.*Ada Lovelace"))).to_be_visible()
    ada.press(re.compile("Demote.*Ben"))
    assert ben.goto("/settings/people") == 403

    # A lost passkey: a link from an admin's page.
    ada.page.locator("[data-person]", has_text="Ben").locator("summary", has_text="Send sign-in link").click()
    ada.press("Create sign-in link", inside="[data-person]:has-text('Ben')")
    link = ada.page.locator("#fresh-link").inner_text()
    new_phone = device()
    new_phone.plug_in()
    new_phone.goto(link)
    expect(new_phone.page.get_by_role("heading")).to_have_text("Welcome back, Ben")
    new_phone.press("Sign in")
    new_phone.page.wait_for_url("**/settings/account?by=link")
    new_phone.press("Add passkey")
    expect(passkeys_of(new_phone.page)).to_have_count(2)
    new_phone.press("Sign out everywhere else")
    expect(new_phone.page.get_by_role("status")).to_have_text("Signed out all other browsers.")
    ben.goto("/")
    assert ben.page.url.endswith("/auth/login")

    # Removed.
    ada.goto("/settings/people")
    ada.page.locator("[data-person]", has_text="Ben").locator("summary", has_text="Remove").click()
    ada.press("Remove account", inside="[data-person]:has-text('Ben')")
    expect(ada.page.locator("[data-person]")).to_have_count(1)
    new_phone.goto("/")
    assert new_phone.page.url.endswith("/auth/login")
    new_phone.press("Sign in with a passkey")
    expect(new_phone.page.get_by_role("alert")).to_have_text("Authentication failed")


def test_a_user_who_is_not_verified_cannot_sign_in(with_account: BloopServer, device: Callable[..., Device]) -> None:
    person = device()
    person.plug_in(isUserVerified=False)
    person.goto("/auth/login")

    person.press("Sign in with a passkey")

    expect(person.page.get_by_role("alert")).to_contain_text("cancelled, or took too long")
    assert person.page.url.endswith("/auth/login")
    expect(person.page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_pages_say_why_passkeys_cannot_work(with_account: BloopServer, device: Callable[..., Device]) -> None:
    without = device(java_script_enabled=False)
    without.goto("/auth/login")
    expect(without.page.get_by_text("Passkeys need JavaScript")).to_be_visible()
    expect(without.page.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)

    elsewhere = device()
    elsewhere.goto(f"http://127.0.0.1:{with_account.port}/auth/login")
    expect(elsewhere.page.get_by_text(f"Passkeys work only at http://localhost:{with_account.port}")).to_be_visible()
    expect(elsewhere.page.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)


def test_account_and_people_work_without_javascript_on_a_narrow_screen(
    with_account: BloopServer, device: Callable[..., Device]
) -> None:
    link = with_account.cli("login-link", "--user", "ada lovelace").stdout.strip()
    phone = device(java_script_enabled=False, viewport={"width": 320, "height": 700})

    phone.goto(link)
    phone.press("Sign in")
    for path in ("/settings/account", "/settings/people"):
        assert phone.goto(path) == 200
        width = phone.page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth")
        assert width == 0, path
    phone.invite()
    expect(phone.page.locator("#fresh-link")).to_contain_text(f"{phone.url}/auth/login?invite=")
    phone.press("Revoke")
    expect(phone.page.get_by_role("status")).to_have_text("Invitation revoked.")
    phone.goto("/settings/account")
    phone.page.locator(".ask summary").first.click()
    phone.page.get_by_label("Name", exact=True).fill("Old phone")
    phone.press("Save")
    expect(passkeys_of(phone.page).first).to_contain_text("Old phone")
