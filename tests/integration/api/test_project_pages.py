"""The pages about projects over a real database: forms, secrets shown once, the ledger, the banners."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from falcon import testing

from bloop.base.clock import HOUR_MS, hour_of
from bloop.base.errors import InvalidEvent, StorageError
from bloop.base.outcomes import Outcome
from bloop.onboarding.languages import LANGUAGES
from bloop.projects.read import get_project, project_keys
from bloop.ring.segment import WriterState
from tests.integration.api.conftest import WELL, Server
from tests.integration.api.test_ledger_api import book, note
from tests.seed import NOW_MS, Seed
from tests.unit.site.test_render import XSS

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Accept-Encoding": "gzip"}
FORM = BROWSER | {"Content-Type": "application/x-www-form-urlencoded"}
KEY = re.compile(r"bloop_[0-9a-f]{64}")


def page(server: Server, path: str, cookie: str) -> testing.Result:
    return server.call("GET", path, cookie=cookie, headers={"Accept": "text/html"})


def post(server: Server, path: str, cookie: str, **fields: str) -> testing.Result:
    return server.call("POST", path, cookie=cookie, headers=FORM, body=urlencode(fields))


def key_of(seed: Seed, slug: str) -> str:
    return next(row.api_key for row in project_keys(seed.db) if row.slug == slug)


# Projects -----------------------------------------------------------------------------------------------------------


def test_a_new_projects_key_is_in_the_answer_and_nowhere_after(server: Server, seed: Seed) -> None:
    cookie = seed.session(seed.user("ada"))

    made = post(server, "/settings/projects", cookie, name="Web shop", slug="web-shop")

    key = key_of(seed, "web-shop")
    assert made.status_code == 200
    assert set(KEY.findall(made.text)) == {key}
    assert made.text.count(key) == 8  # by itself, and in seven programs
    assert made.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in made.headers
    assert "noscript" not in made.text, "asking again would take the key away"
    for path in ("/projects/web-shop/setup", "/settings/projects", "/settings/projects/web-shop", "/"):
        assert key not in page(server, path, cookie).text
    assert "noscript" in page(server, "/projects/web-shop/setup", cookie).text


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"name": "", "slug": "x"}, 400, "name is required"),
        ({"name": "<b>", "slug": "No!"}, 400, "slug must be lowercase alphanumeric with hyphens"),
        ({"name": "Other", "slug": "shop"}, 409, "a project with that slug already exists"),
    ],
)
def test_an_invalid_form_keeps_its_input(
    server: Server, seed: Seed, fields: dict[str, str], status: int, words: str
) -> None:
    seed.project("shop")

    refused = server.call("POST", "/settings/projects", cookie=seed.session(), headers={"Accept": "text/html"},
                          body=urlencode(fields))  # fmt: skip

    assert refused.status_code == status
    assert words in refused.text
    assert f'value="{fields["slug"].replace("<", "&lt;")}"' in refused.text
    assert seed.value("SELECT count(*) FROM projects") == 1


def test_a_rotation_that_is_sent_twice_happens_once(server: Server, seed: Seed) -> None:
    seed.project("shop")
    cookie = seed.session()
    made = re.findall(r'name="made" value="(\d+)"', page(server, "/settings/projects/shop", cookie).text)[0]
    server.now_ms += 1000

    first = post(server, "/settings/projects/shop/rotate", cookie, made=made)
    key = key_of(seed, "shop")
    again = server.call("POST", "/settings/projects/shop/rotate", cookie=cookie, headers={"Accept": "text/html"},
                        body=f"made={made}")  # fmt: skip

    assert (first.status_code, KEY.findall(first.text)[0]) == (200, key)
    assert (again.status_code, KEY.findall(again.text)) == (409, [])
    assert key_of(seed, "shop") == key
    for wrong in ("", "x", "-1", "9" * 40):
        assert post(server, "/settings/projects/shop/rotate", cookie, made=wrong).status_code == 409


def test_a_new_key_is_asked_for_and_the_old_one_is_kept_as_chosen(server: Server, seed: Seed) -> None:
    seed.project("shop", api_key="bloop_" + "ab" * 32, key_used_at_ms=NOW_MS - 3_600_000)
    cookie = seed.session()
    for path in ("/settings/projects/shop", "/projects/shop/setup"):
        form = re.search(r"<details.*?>Create new key</summary>.*?</details>", page(server, path, cookie).text, re.S)
        assert form is not None, "a click alone must not replace the key"
        assert 'name="keep_days" type="number" min="0" max="30"' in form[0]
    server.now_ms += 1000
    fields = {"made": str(NOW_MS)}
    for wrong in ("31", "-1", "x", "9" * 40):
        body = urlencode({**fields, "keep_days": wrong}, safe="")
        refused = server.call("POST", "/settings/projects/shop/rotate", cookie=cookie, headers={"Accept": "text/html"},
                              body=body)  # fmt: skip
        assert (refused.status_code, "keep_days must be a whole number" in refused.text) == (400, True)

    assert post(server, "/settings/projects/shop/rotate", cookie, **fields, keep_days="7").status_code == 200

    shown = page(server, "/settings/projects/shop", cookie).text
    assert shown.count("<li data-project-key>") == 2
    assert "<code>bloop_ababab…</code>" in shown
    assert ("used " in shown, "no use noted" in shown) == (True, True)
    assert KEY.findall(shown) == []
    ended = post(server, f"/settings/projects/shop/keys/{NOW_MS}/end", cookie)
    assert (ended.status_code, ended.headers["Location"]) == (303, "/settings/projects/shop?done=key-ended")
    assert page(server, "/settings/projects/shop", cookie).text.count("<li data-project-key>") == 1


def test_a_project_is_deleted_only_by_typing_its_slug_and_the_page_lists_the_loss(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    seed.event(seed.issue(project, "a"))
    seed.db.execute("INSERT INTO releases VALUES (?, '1.0', 'production', 1234, 0, 0)", (project,))
    seed.token(project, "errors:read")
    cookie = seed.session()
    assert "1 issue, 1,234 events, 1 release and 1 API token." in page(server, "/settings/projects/shop", cookie).text

    refused = post(server, "/settings/projects/shop/delete", cookie, confirm="Shop")
    assert refused.status_code == 400
    assert get_project(seed.db, "shop") is not None
    done = post(server, "/settings/projects/shop/delete", cookie, confirm="shop")

    assert (done.status_code, done.headers["Location"]) == (303, "/settings/projects?done=deleted")
    assert get_project(seed.db, "shop") is None
    assert page(server, "/settings/projects/shop", cookie).status_code == 404
    assert "Project deleted" in page(server, "/settings/projects?done=deleted", cookie).text


def test_the_default_project_offers_no_deletion(server: Server, seed: Seed) -> None:
    seed.project("default", public_id="default")
    cookie = seed.session()

    assert "/delete" not in page(server, "/settings/projects/default", cookie).text
    assert post(server, "/settings/projects/default/delete", cookie, confirm="default").status_code == 400


def test_a_project_is_told_to_trim_events_and_the_page_shows_it(server: Server, seed: Seed) -> None:
    seed.project("shop", created_by=seed.user("maker"))
    cookie, path = seed.session(), "/settings/projects/shop"
    assert re.search(r'value="reject" checked', page(server, path, cookie).text)

    saved = post(server, f"{path}/options", cookie, oversize="trim")

    assert (saved.status_code, saved.headers["Location"]) == (303, f"{path}?done=options")
    shown = page(server, f"{path}?done=options", cookie).text
    assert re.search(r'value="trim" checked', shown)
    assert "Saved." in shown
    assert "trimmed and stored" in page(server, path, seed.session(seed.user("other"))).text
    assert post(server, f"{path}/options", cookie, search_keys="plan, region").status_code == 303
    assert seed.value("SELECT search_keys FROM projects") == '["plan","region"]'
    assert 'value="plan, region"' in server.call("GET", path, cookie=cookie).text
    assert post(server, f"{path}/options", cookie, search_keys="x" * 201).status_code == 400
    assert post(server, f"{path}/options", cookie, oversize="both").status_code == 400
    assert seed.value("SELECT oversize FROM projects") == "trim"


def test_another_user_sees_a_project_without_its_buttons(server: Server, seed: Seed) -> None:
    seed.project("shop", created_by=seed.user("maker"))
    cookie = seed.session(seed.user("other"))

    shown = page(server, "/settings/projects/shop", cookie).text

    assert "Only admins and the project's creator" in shown
    assert '<form method="post" action="/settings' not in shown
    assert "/rotate" not in page(server, "/projects/shop/setup", cookie).text


@pytest.mark.parametrize("payload", XSS)
def test_a_project_may_be_called_anything(server: Server, seed: Seed, payload: str) -> None:
    name = payload.replace("\x00", "")[:100]
    cookie = seed.session()
    made = post(server, "/settings/projects", cookie, name=name, slug="odd")
    seed.token(seed.value("SELECT id FROM projects"), "errors:read")

    paths = ("/settings/projects", "/settings/projects/odd", "/settings/tokens", "/projects/odd/setup", "/ledger", "/")
    for text in (made.text, *(page(server, path, cookie).text for path in paths)):
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "<iframe" not in text
        assert "onload=alert" not in text.replace("&lt;svg/onload=alert", "")


# Tokens -------------------------------------------------------------------------------------------------------------


def test_a_new_token_is_shown_once_and_works_until_it_is_revoked(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    cookie = seed.session()

    made = post(server, "/settings/tokens", cookie, name="CI", project="shop", expires_in_days="30",
                **{"errors:read": "on"})  # fmt: skip

    token = re.findall(r"bloop_tk_[A-Za-z0-9_-]{43}", made.text)[0]
    assert made.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in made.headers
    assert server.call("GET", "/v1/errors", token=token).status_code == 200
    listed = page(server, "/settings/tokens?project=shop", cookie).text
    assert token not in listed
    assert token[:16] in listed
    row = seed.rows("SELECT id, project_id, scopes, expires_at FROM api_tokens")[0]
    assert row[1:] == (project, "errors:read", NOW_MS // 1000 + 30 * 86_400)
    done = post(server, f"/settings/tokens/{row[0]}/revoke", cookie)
    assert done.headers["Location"] == "/settings/tokens?done=revoked"
    assert server.call("GET", "/v1/errors", token=token).status_code == 401
    assert "Revoked" in page(server, "/settings/tokens", cookie).text


def test_a_token_form_without_a_scope_comes_back(server: Server, seed: Seed) -> None:
    seed.project("shop")

    refused = server.call("POST", "/settings/tokens", cookie=seed.session(), headers={"Accept": "text/html"},
                          body=urlencode({"name": "My CI", "project": "shop", "expires_in_days": ""}))  # fmt: skip

    assert refused.status_code == 400
    assert "at least one scope is required" in refused.text
    assert 'value="My CI"' in refused.text


def test_people_see_tokens_of_their_projects_only(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    mine, other = seed.project("mine", created_by=ada), seed.project("other")
    seed.token(mine, "errors:read")
    seed.token(other, "errors:read")
    seed.db.execute("UPDATE api_tokens SET name = 'token-of-' || project_id")

    shown = page(server, "/settings/tokens", seed.session(ada)).text

    assert (f"token-of-{mine}" in shown, f"token-of-{other}" in shown) == (True, False)
    assert re.findall(r'<option value="([a-z]+)"', shown) == ["mine"]
    assert page(server, "/settings/tokens", seed.session()).text.count("data-token") == 2


# The first event ----------------------------------------------------------------------------------------------------


def test_the_setup_page_flips_when_something_has_arrived(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    cookie = seed.session()
    assert server.get("/projects/shop/setup/status", cookie=cookie) == {"href": ""}
    assert "Waiting for the first event" in page(server, "/projects/shop/setup", cookie).text

    seed.issue(project, "a", status="resolved")

    assert server.get("/projects/shop/setup/status", cookie=cookie) == {"href": "/issues/SHOP-1"}
    shown = page(server, "/projects/shop/setup", cookie).text
    assert "Your first event arrived" in shown
    assert "Waiting for the first event" not in shown
    assert 'href="/issues/SHOP-1"' in shown


def test_a_key_that_was_never_used_can_be_shown_again_by_a_button(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    project = seed.project("shop", api_key="bloop_" + "ab" * 32, created_by=ada)
    cookie, path = seed.session(ada), "/projects/shop/setup"
    assert KEY.findall(page(server, path, cookie).text) == []

    shown = post(server, f"{path}/key", cookie)

    assert set(KEY.findall(shown.text)) == {"bloop_" + "ab" * 32}
    assert shown.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in shown.headers
    assert 'href="?lang' not in shown.text, "a link would lead away from the key"
    assert 'href="#lang-python"' in shown.text
    refused = post(server, f"{path}/key", seed.session(seed.user("other")))
    assert refused.status_code == 403
    seed.issue(project, "a")
    assert post(server, f"{path}/key", cookie).status_code == 409
    assert f'action="{path}/key"' not in page(server, path, cookie).text


def test_a_key_that_was_used_is_never_shown_again(server: Server, seed: Seed) -> None:
    seed.project("shop", api_key="bloop_" + "ab" * 32, key_used_at_ms=NOW_MS - 60_000)
    cookie = seed.session()

    assert post(server, "/projects/shop/setup/key", cookie).status_code == 409
    assert "The key was used 1 min ago." in page(server, "/projects/shop/setup", cookie).text


@pytest.mark.parametrize(("query", "cookie", "chosen"), [
    ("", "", "python"), ("?lang=ruby", "", "ruby"), ("", "ruby", "ruby"), ("?lang=curl", "ruby", "curl"),
    ("?lang=cobol", "cobol", "python"),
])  # fmt: skip
def test_the_language_is_remembered(server: Server, seed: Seed, query: str, cookie: str, chosen: str) -> None:
    seed.project("shop")
    cookies = f"{seed.session()}; bloop_lang={cookie}" if cookie else seed.session()

    answer = server.call("GET", f"/projects/shop/setup{query}", cookie=cookies, headers={"Accept": "text/html"})

    assert re.findall(r'data-lang="([a-z]+)" aria-current', answer.text) == [chosen]
    hidden = re.findall(r'data-panel="([a-z]+)" hidden', answer.text)
    assert sorted(hidden) == sorted(LANGUAGES.keys() - {chosen})
    is_asked = query and chosen in query
    assert ("bloop_lang=" in answer.headers.get("Set-Cookie", "")) == bool(is_asked)


def test_a_rejected_request_is_named_while_nothing_has_arrived(server: Server, seed: Seed) -> None:
    seed.project("shop")
    cookie = seed.session()
    note(seed, 0, "invalid project key")

    assert "invalid project key" in page(server, "/projects/shop/setup", cookie).text
    server.now_ms += 11 * 60_000
    assert "invalid project key" not in page(server, "/projects/shop/setup", cookie).text


@pytest.mark.parametrize(
    ("outcome", "script", "location"),
    [
        (True, (200, {"status": "accepted"}), "/projects/shop/setup"),
        (False, (200, {"status": "dropped"}), "/projects/shop/setup?problem=full"),
        (
            InvalidEvent("message", "no"),
            (400, {"error": "no", "path": "message"}),
            "/projects/shop/setup?problem=refused",
        ),
        (StorageError("not yet"), (503, {"error": "not yet"}), "/projects/shop/setup?problem=unavailable"),
    ],
)
def test_a_test_error_is_sent_with_the_projects_key_and_its_outcome_is_shown(
    server: Server, seed: Seed, outcome: Any, script: tuple[int, Any], location: str
) -> None:
    seed.project("shop")
    cookie, sent = seed.session(), []

    def send(key: str, body: bytes) -> bool:
        sent.append((key, json.loads(body)))
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    server.on_send = send

    by_form = post(server, "/projects/shop/test-event", cookie)
    by_script = server.call("POST", "/projects/shop/test-event", cookie=cookie)

    assert (by_form.status_code, by_form.headers["Location"]) == (303, location)
    assert (by_script.status_code, by_script.json) == script
    assert [key for key, _ in sent] == ["key-of-shop"] * 2
    assert sent[0][1]["timestamp"] == NOW_MS
    if "problem" in location:
        assert 'role="alert"' in page(server, location, cookie).text


# The ledger and the state of bloop ----------------------------------------------------------------------------------


def test_the_ledger_page_accounts_for_everything(server: Server, seed: Seed) -> None:
    shop = seed.project("shop")
    book(seed, shop, Outcome.RECEIVED, 1000)
    book(seed, shop, Outcome.STORED, 990)
    book(seed, shop, Outcome.RATE_LIMITED, 10, hour_of(NOW_MS) - HOUR_MS)
    note(seed, shop, "<b>what the client was told</b>")
    cookie = seed.session()

    for path in ("/ledger", "/ledger?project=shop", "/ledger?span=7d", "/ledger?project=shop&span=30d"):
        shown = page(server, path, cookie)
        assert shown.status_code == 200
        assert 'data-balance="balanced"' in shown.text
        assert "1,000 records" in shown.text
        assert re.search(r"Rate limited.*?<td class=\"num\">10</td><td class=\"num\">10</td>", shown.text, re.DOTALL)
        assert "&lt;b&gt;what the client was told&lt;/b&gt;" in shown.text
    assert "Buffer full" not in shown.text, "only what happened has a line"
    assert page(server, "/ledger?project=none", cookie).status_code == 404
    assert page(server, "/ledger?span=1y", cookie).status_code == 400


@pytest.mark.parametrize(
    ("received", "pending", "path", "balance"),
    [
        (10, 0, "/ledger", "balanced"),
        (12, 2, "/ledger", "settling"),
        (12, 0, "/ledger", "off"),
        (9, 0, "/ledger", "off"),
        (9, 0, "/ledger?project=shop", "open"),
    ],
)
def test_the_ledger_shows_whether_it_balances(
    server: Server, seed: Seed, received: int, pending: int, path: str, balance: str
) -> None:
    shop = seed.project("shop")
    book(seed, shop, Outcome.RECEIVED, received)
    book(seed, shop, Outcome.STORED, 10)
    server.ring = WELL._replace(pending_records=pending)

    assert f'data-balance="{balance}"' in page(server, path, seed.session()).text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fill": 0.8}, "ring_pressure"),
        ({"heartbeat_ms": NOW_MS - 60_000}, "writer_stale"),
        ({"writer_state": WriterState.DISK_FULL}, "disk_full"),
        ({"writer_state": WriterState.BUSY}, "writer_busy"),
        (None, "ring_missing"),
    ],
)
def test_a_problem_is_on_every_page_with_a_link_to_its_remedy(
    server: Server, seed: Seed, changes: dict[str, Any] | None, reason: str
) -> None:
    seed.issue(seed.project("shop"), "a")
    cookie = seed.session()
    paths = ("/", "/issues/SHOP-1", "/settings/projects", "/settings/account", "/ledger", "/system")
    for path in paths:
        assert "banner" not in page(server, path, cookie).text

    server.ring = None if changes is None else replace_stat(changes)

    for path in paths:
        assert f'href="/system#{reason}"' in page(server, path, cookie).text, path
    shown = page(server, "/system", cookie).text
    assert re.findall(r'<section class="problem-block" id="([a-z_]+)"', shown)[0] == reason
    assert re.search(r"bloop is (degraded|running)", shown)


def replace_stat(changes: dict[str, Any]) -> Any:
    return WELL._replace(**changes)


def test_a_full_disk_is_noticed_before_the_writer_stops(server: Server, seed: Seed) -> None:
    settings = server.settings
    server.settings = replace(settings, database=replace(settings.database, disk_free_bytes_min=2**62))
    server.__post_init__()

    assert 'href="/system#disk_full"' in page(server, "/ledger", seed.session()).text
    server.database.close()
