"""/settings: every line shows the value that holds now."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

from bloop.accounts.passkeys.store import add_passkey
from bloop.base.outcomes import Outcome
from tests.integration.api.conftest import Server
from tests.integration.api.test_ledger_api import book
from tests.seed import NOW_MS, Seed

LINE = re.compile(r'<li><a href="([^"]+)">.*?<b>([^<]+)</b><span(?: class="is-(\w+)")?>(.*?)</span>', re.DOTALL)
LOOK = "bloop_look=theme.dark_rows.tight"


def lines(server: Server, cookie: str, query: str = "") -> dict[str, tuple[str, str, str]]:
    """Label → (href, state, value)."""
    html = server.call("GET", f"/settings{query}", cookie=cookie, headers={"Accept": "text/html"}).text
    return {
        label: (unescape(href), state, unescape(re.sub(r"<[^>]+>", "", value)))
        for href, label, state, value in LINE.findall(html)
    }


def test_the_lines_of_a_person_say_what_they_have(server: Server, seed: Seed) -> None:
    ada = seed.user("ada", is_admin=True)
    cookie = seed.session(ada)
    assert lines(server, cookie)["Passkeys"] == (
        "/settings/account#passkeys", "warn", "None: add one to sign in again",
    )  # fmt: skip
    key = {"credential_id": b"1", "public_key": b"", "sign_count": 0, "transports": ()}
    add_passkey(seed.db, ada, **key, name="Laptop", is_synced=True, now_ms=NOW_MS)  # type: ignore[arg-type]
    seed.session(ada)

    found = lines(server, f"{cookie}; {LOOK}")

    assert found["Account"] == ("/settings/account", "", "Ada, admin")
    assert found["Passkeys"] == ("/settings/account#passkeys", "", "1")
    assert found["Sessions"] == ("/settings/account#sign-ins", "", "2 browsers signed in")
    assert found["Appearance"][2] == "Dark theme, wide sidebar, compact rows, shortcuts on"


def test_the_lines_of_a_project_are_those_of_the_project_that_was_chosen(server: Server, seed: Seed) -> None:
    shop = seed.project("shop", key_used_at_ms=NOW_MS - 60_000)
    seed.project("blog", oversize="trim")
    seed.token(shop, "errors:read")
    cookie = seed.session()

    found = lines(server, cookie, "?project=shop")

    assert found["General"] == ("/settings/projects/shop", "", "Issues are named SHOP-1, SHOP-2, …")
    assert found["Keys"] == ("/settings/projects/shop#keys", "", "1 active, last used 1 min ago")
    assert found["Events that are too long"][2] == "Rejected, with the name of the field"
    assert found["API tokens"][:1] == ("/settings/tokens?project=shop",)
    assert found["API tokens"][2].startswith("1 active")
    assert found["Set-up"][0] == "/projects/shop/setup"
    other = lines(server, cookie, "?project=blog")
    assert (other["Keys"][2], other["Events that are too long"][2]) == ("1 active, no use noted", "Trimmed and stored")
    assert other["API tokens"][2] == "None"


def test_the_lines_of_the_server_say_what_is_wrong(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    shop = seed.project("shop")
    book(seed, shop, Outcome.RECEIVED, 7)
    book(seed, shop, Outcome.RING_FULL, 2)

    found = lines(server, cookie)

    assert found["Projects"] == ("/settings/projects", "", "1 project")
    assert found["Retention"] == (
        "/settings/storage#retention", "", "Events 7 days, hourly counts 90 days, issues forever",
    )  # fmt: skip
    assert found["Backups"] == ("/settings/storage#backups", "", "None yet: the first one is made tonight")
    assert found["System"] == ("/system", "", "Healthy")
    assert found["Ledger"] == ("/ledger", "warn", "7 events received in the last 24\u00a0h, 2 lost")
    settings = server.settings
    server.settings = replace(settings, database=replace(settings.database, disk_free_bytes_min=2**62))
    server.__post_init__()
    full = lines(server, cookie)
    assert full["Storage"][1] == "bad"
    assert "the disk is full" in full["Storage"][2]
    assert full["System"][1:] == ("bad", "The disk is full: events are queued but not being saved.")
    server.database.close()


def test_a_bloop_without_projects_and_accounts_has_an_overview_too(server: Server, seed: Seed) -> None:
    found = lines(server, seed.session())

    assert found["Account"] == ("/settings/account", "warn", "No account yet: create the first one")
    assert "General" not in found
    assert found["Projects"][2] == "0 projects"
