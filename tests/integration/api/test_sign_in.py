from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from falcon import testing

from bloop.accounts.links.store import create_login_link
from bloop.base.config import Auth, RateLimit
from bloop.db import connection
from tests.integration.api.conftest import RP_ORIGIN, Server, settings_for
from tests.seed import NOW_MS, Seed

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def login_link(seed: Seed) -> str:
    with connection.immediate(seed.db):
        return create_login_link(seed.db, now_ms=NOW_MS, ttl_s=900)


def press_the_button(server: Server, token: str, **fields: str) -> testing.Result:
    body = "&".join(f"{name}={value}" for name, value in {"token": token, **fields}.items())
    return server.call("POST", "/auth/login", headers=FORM, body=body)


def test_looking_at_a_link_does_not_use_it_up(server: Server, seed: Seed) -> None:
    token = login_link(seed)

    for _ in range(3):
        page = server.call("GET", "/auth/login", query_string=f"token={token}")
        assert page.status_code == 200
        assert f'value="{token}"' in page.text
        assert page.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in page.headers

    assert press_the_button(server, token).status_code == 303


def test_the_button_signs_in_once(server: Server, seed: Seed) -> None:
    token = login_link(seed)

    result = press_the_button(server, token)

    assert (result.status_code, result.headers["Location"]) == (303, "/")
    cookie = result.cookies["__Host-bloop_session"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie.value)
    assert (cookie.http_only, cookie.same_site, cookie.path, cookie.max_age, cookie.secure) == (
        True,
        "Lax",
        "/",
        604_800,
        True,
    )
    assert server.call("GET", "/v1/stats", cookie=cookie.value).status_code == 200
    again = press_the_button(server, token)
    assert again.status_code == 401
    assert "Set-Cookie" not in again.headers
    assert "bloop login-link" in again.text


@pytest.mark.parametrize("token", ["", "wrong", "x" * 3000])
def test_a_wrong_token_gets_a_page_and_no_cookie(server: Server, token: str) -> None:
    result = press_the_button(server, token)

    assert result.status_code == 401
    assert result.headers["Content-Type"].startswith("text/html")
    assert "Set-Cookie" not in result.headers


@pytest.mark.parametrize(("body", "status"), [("x" * 5000, 413), ("token=" + "&a=1" * 20, 400), (b"token=\xff", 400)])
def test_a_form_that_cannot_be_read_is_refused(server: Server, body: str | bytes, status: int) -> None:
    assert server.call("POST", "/auth/login", headers=FORM, body=body).status_code == status


def test_signing_in_leads_back_to_where_one_was_going(server: Server, seed: Seed) -> None:
    result = press_the_button(server, login_link(seed), next="%2Fissues%2FSHOP-1%3Ftab%3Dall")
    assert result.headers["Location"] == "/issues/SHOP-1?tab=all"

    result = press_the_button(server, login_link(seed), next="%2F%2Fevil.example")
    assert result.headers["Location"] == "/"


def test_the_first_account_starts_where_the_first_event_is_awaited(server: Server, seed: Seed) -> None:
    def next_path() -> list[str]:
        page = server.call("GET", "/auth/login", query_string=f"token={login_link(seed)}")
        return re.findall(r'data-next="([^"]*)"', page.text)

    assert next_path() == ["/"]
    project = seed.project("shop")
    assert next_path() == ["/projects/shop/setup"]
    seed.issue(project, "a")
    assert next_path() == ["/"]


def test_the_page_escapes_the_parameters_of_the_link(server: Server) -> None:
    page = server.call("GET", "/auth/login", query_string="token=%22%3E%3Cscript%3E&next=%2F%22%3E%3Cscript%3E")

    assert "<script>" not in page.text


def test_signing_out_ends_the_session_and_clears_the_cookie(server: Server, seed: Seed) -> None:
    cookie = seed.session()

    result = server.call("POST", "/auth/logout", cookie=cookie)

    assert result.json == {"status": "ok"}
    cleared = result.cookies["__Host-bloop_session"]
    assert cleared.value == ""
    assert "Max-Age=0" in result.headers["Set-Cookie"]
    assert server.call("GET", "/v1/stats", cookie=cookie).status_code == 401
    browser = server.call("POST", "/auth/logout", headers={"Accept": "text/html"})
    assert (browser.status_code, browser.headers["Location"]) == (303, "/auth/login")


def test_expired_sessions_are_deleted_at_the_next_sign_in(server: Server, seed: Seed) -> None:
    seed.session(ttl_s=1)
    server.now_ms = NOW_MS + 5000

    press_the_button(server, login_link(seed))

    assert seed.value("SELECT count(*) FROM sign_ins") == 1


def test_setup_is_complete_once_an_account_exists(server: Server, seed: Seed) -> None:
    assert server.get("/auth/status") == {"setup_complete": False}
    seed.user("ada")
    assert server.get("/auth/status") == {"setup_complete": True}


@pytest.fixture
def limited(seed: Seed) -> Iterator[Server]:
    auth = Auth(hmac_secret="s" * 40, rp_origin="http://localhost:5332")
    limits = RateLimit(auth_per_second=1, auth_burst_size=3)
    made = Server(seed, replace(settings_for(seed.path), auth=auth, rate_limit=limits))
    yield made
    made.database.close()


def test_guessing_is_slowed_down_per_address(limited: Server) -> None:
    def knock(address: str) -> int:
        return limited.client.simulate_get("/auth/status", remote_addr=address).status_code

    assert [knock("192.0.2.1") for _ in range(4)] == [200, 200, 200, 429]
    assert knock("192.0.2.2") == 200
    refused = limited.client.simulate_get("/auth/status", remote_addr="192.0.2.1")
    assert int(refused.headers["Retry-After"]) >= 1
    assert "error" in refused.json


def test_over_plain_http_the_cookie_is_not_marked_secure(limited: Server, seed: Seed) -> None:
    assert RP_ORIGIN.startswith("https://")
    assert not press_the_button(limited, login_link(seed)).cookies["bloop_session"].secure
