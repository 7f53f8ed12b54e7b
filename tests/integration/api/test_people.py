"""Accounts and invitations: the admin's API, and the pages of settings."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from falcon import testing

from bloop.accounts.passkeys.store import add_passkey
from bloop.base import credentials
from bloop.db import connection
from tests.integration.api.conftest import RP_ORIGIN, Server
from tests.seed import NOW_MS, Seed

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}


def submit(server: Server, path: str, cookie: str, **fields: str) -> testing.Result:
    """Press a button of a page."""
    return server.call("POST", path, cookie=cookie, headers=FORM, body=urlencode(fields))


def passkey(seed: Seed, user_id: str, name: str = "Laptop") -> str:
    with connection.immediate(seed.db):
        return add_passkey(
            seed.db, user_id, credential_id=credentials.new_token().encode(), public_key=b"k", sign_count=0,
            transports=["usb"], name=name, is_synced=False, now_ms=NOW_MS,
        )  # fmt: skip


@pytest.fixture
def grace(seed: Seed) -> str:
    """An admin."""
    return seed.user("grace", is_admin=True)


@pytest.fixture
def ada(seed: Seed, grace: str) -> str:
    return seed.user("ada")


# The API ----------------------------------------------------------------------------------------------------------


def test_users_are_listed_oldest_first(server: Server, seed: Seed, grace: str, ada: str) -> None:
    created_at = NOW_MS // 1000

    assert server.get("/v1/admin/users", cookie=seed.session(grace)) == [
        {"id": grace, "username": "grace", "is_admin": True, "created_at": created_at},
        {"id": ada, "username": "ada", "is_admin": False, "created_at": created_at},
    ]


@pytest.mark.parametrize("on", [{"is_admin": True}, {"role": "admin"}, {"is_admin": True, "role": "admin"}])
@pytest.mark.parametrize("off", [{"is_admin": False}, {"role": "user"}])
def test_a_role_changes_with_the_next_request(
    server: Server, seed: Seed, grace: str, ada: str, on: dict[str, Any], off: dict[str, Any]
) -> None:
    hers, his = seed.session(grace), seed.session(ada)

    promoted = server.call("PUT", f"/v1/admin/users/{ada}/role", cookie=hers, json=on)
    assert (promoted.status_code, promoted.json) == (200, {"status": "ok", "user_id": ada, "is_admin": True})
    assert server.call("GET", "/settings/people", cookie=his).status_code == 200
    server.call("PUT", f"/v1/admin/users/{ada}/role", cookie=hers, json=off)

    refused = server.call("GET", "/v1/admin/users", cookie=his)
    assert (refused.status_code, refused.json) == (403, {"error": "admin access required"})
    assert server.call("GET", "/settings/people", cookie=his, headers={"Accept": "text/html"}).status_code == 403
    assert server.call("GET", "/", cookie=his).status_code == 200


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", "nonsense", '{"is_admin": 1}', '{"is_admin": "true"}', '{"role": "owner"}',
             '{"role": ["admin"]}', '{"is_admin": true, "role": "user"}', '{"is_admin": null}'],
)  # fmt: skip
def test_a_role_that_is_none_changes_nothing(server: Server, seed: Seed, grace: str, ada: str, body: str) -> None:
    result = server.call("PUT", f"/v1/admin/users/{ada}/role", cookie=seed.session(grace), body=body)

    assert result.status_code == 400
    assert "error" in result.json
    assert seed.value("SELECT sum(is_admin) FROM webauthn_users") == 1


def test_what_an_admin_cannot_do(server: Server, seed: Seed, grace: str, ada: str) -> None:
    cookie = seed.session(grace)

    def ask(method: str, path: str, **options: Any) -> tuple[int, Any]:
        result = server.call(method, f"/v1/admin/{path}", cookie=cookie, **options)
        return result.status_code, result.json

    assert ask("PUT", f"users/{grace}/role", json={"is_admin": False}) == (
        400,
        {"error": "cannot change your own role"},
    )
    assert ask("PUT", "users/nobody/role", json={"is_admin": True}) == (404, {"error": "user not found"})
    assert ask("DELETE", f"users/{grace}") == (400, {"error": "cannot delete yourself"})
    assert ask("POST", "users/nobody/link") == (404, {"error": "user not found"})
    assert ask("DELETE", "invites/none") == (404, {"error": "invite not found or already used"})
    assert ask("POST", "reset", json={})[0] == 400
    nothing = {"issues": 0, "views": 0, "rules": 0, "tokens": 0, "pins": 0}
    assert ask("DELETE", "users/nobody") == (200, {"status": "ok", "tokens": "revoke", "settled": nothing})
    assert ask("DELETE", "users/nobody?tokens=") == (200, {"status": "ok", "tokens": "revoke", "settled": nothing})
    refusal = {"error": "tokens: must be revoke or keep", "path": "tokens"}
    assert ask("DELETE", "users/nobody?tokens=burn") == (400, refusal)


def test_the_last_admin_stays_one_even_for_the_operator(server: Server, seed: Seed, grace: str, ada: str) -> None:
    operator = seed.session()

    for method, path, body in (("PUT", f"{grace}/role", {"is_admin": False}), ("DELETE", grace, None)):
        result = server.call(method, f"/v1/admin/users/{path}", cookie=operator, json=body)
        assert (result.status_code, result.json) == (
            409,
            {"error": "there must be an admin: make another account an admin first"},
        )
    server.call("PUT", f"/v1/admin/users/{ada}/role", cookie=operator, json={"is_admin": True})
    assert server.call("DELETE", f"/v1/admin/users/{grace}", cookie=operator).status_code == 200


class Leaving(NamedTuple):
    """What an account has when it is removed: a cookie, a token, an issue, and rows that have an owner."""

    cookie: str
    token: str
    issue: int


def leave(seed: Seed, user_id: str) -> Leaving:
    project = seed.project("shop", created_by=user_id)
    issue = seed.issue(project, "f00d", assignee=user_id)
    cookie, token = seed.session(user_id), seed.token(project, "errors:read", created_by=user_id)
    passkey(seed, user_id)
    seed.rule(project, created_by=user_id)
    seed.rule(created_by=user_id)
    return Leaving(cookie, token, issue)


def test_a_removed_person_has_no_access_left_and_the_admin_owns_what_stays(
    server: Server, seed: Seed, grace: str, ada: str
) -> None:
    hers = leave(seed, ada)
    others = seed.token(1, "errors:read", created_by=grace)
    server.call("POST", "/v1/errors/f00d/resolve", cookie=hers.cookie)

    result = server.call("DELETE", f"/v1/admin/users/{ada}", cookie=seed.session(grace))

    settled = {"issues": 1, "views": 0, "rules": 2, "tokens": 1, "pins": 0}
    assert (result.status_code, result.json) == (200, {"status": "ok", "tokens": "revoke", "settled": settled})
    assert server.call("GET", "/v1/stats", cookie=hers.cookie).status_code == 401
    assert server.call("GET", "/v1/stats", token=hers.token).status_code == 401
    assert server.call("GET", "/v1/stats", token=others).status_code == 200
    assert seed.value("SELECT count(*) FROM alert_rules WHERE created_by = ?", grace) == 2
    assert seed.rows("SELECT assignee FROM issues") == [(grace,)]
    history = seed.rows("SELECT action, changed_by, changed_via FROM status_changes WHERE issue_id = ?", hers.issue)
    assert history == [("status", ada, "api"), ("assigned", grace, "api")]
    assert seed.rows("SELECT kind FROM signals ORDER BY id") == [("issue.resolved",), ("issue.assigned",)]
    assert seed.rows("SELECT created_by FROM projects") == [(None,)]
    assert seed.value("SELECT count(*) FROM passkeys") == 0
    assert seed.rows("PRAGMA foreign_key_check") == []


def test_tokens_that_are_kept_are_the_admins_and_the_list_says_so(
    server: Server, seed: Seed, grace: str, ada: str
) -> None:
    hers, cookie = leave(seed, ada), seed.session(grace)
    before = server.get("/v1/tokens?project_id=shop", cookie=cookie)

    result = server.call("DELETE", f"/v1/admin/users/{ada}?tokens=keep", cookie=cookie)

    assert (result.json["tokens"], result.json["settled"]["tokens"]) == ("keep", 1)
    assert server.call("GET", "/v1/stats", token=hers.token).status_code == 200
    after = server.get("/v1/tokens?project_id=shop", cookie=cookie)
    owners = [(token["created_by"], token["created_by_name"]) for token in (*before, *after)]
    assert owners == [(ada, "ada"), (grace, "grace")]
    assert "owner <bdi>grace</bdi>" in server.call("GET", "/settings/tokens", cookie=cookie).text


def test_the_operator_removes_a_person_and_nobody_owns_what_stays(
    server: Server, seed: Seed, grace: str, ada: str
) -> None:
    hers = leave(seed, ada)

    result = server.call("DELETE", f"/v1/admin/users/{ada}?tokens=keep", cookie=seed.session())

    assert result.json["settled"] == {"issues": 1, "views": 0, "rules": 2, "tokens": 1, "pins": 0}
    assert seed.rows("SELECT assignee FROM issues") == [(None,)]
    assert server.call("GET", "/v1/stats", token=hers.token).status_code == 200
    assert "no owner" in server.call("GET", "/settings/tokens", cookie=seed.session(grace)).text


def test_an_admin_who_cannot_be_removed_keeps_everything(server: Server, seed: Seed, grace: str) -> None:
    hers = leave(seed, grace)

    assert server.call("DELETE", f"/v1/admin/users/{grace}", cookie=seed.session()).status_code == 409

    assert server.call("GET", "/v1/stats", token=hers.token).status_code == 200
    assert seed.rows("SELECT assignee FROM issues") == [(grace,)]


def test_the_page_asks_what_becomes_of_the_tokens(server: Server, seed: Seed, grace: str, ada: str) -> None:
    cookie = seed.session(grace)
    assert 'name="tokens"' not in server.call("GET", "/settings/people", cookie=cookie).text
    hers = leave(seed, ada)

    page = server.call("GET", "/settings/people", cookie=cookie).text

    assert "2 alert rules with the channels and webhooks and 1 assigned issue become yours." in page
    assert "<legend>1 API token</legend>" in page
    assert '<input class="tick" type="radio" name="tokens" value="revoke" checked>' in page
    kept = submit(server, f"/settings/people/{ada}/remove", cookie, tokens="keep")
    assert kept.headers["Location"] == "/settings/people?done=removed-tokens-kept"
    assert server.call("GET", "/v1/stats", token=hers.token).status_code == 200


@pytest.mark.parametrize("how", ["demoted", "removed"])
def test_a_user_who_is_no_longer_admin_loses_all_admin_access(
    server: Server, seed: Seed, grace: str, ada: str, how: str
) -> None:
    seed.db.execute("UPDATE webauthn_users SET is_admin = 1")
    his = seed.session(ada)
    server.call("POST", "/v1/admin/invites", cookie=his)
    server.call("POST", f"/v1/admin/users/{grace}/link", cookie=his)
    kept = server.call("POST", "/v1/admin/invites", cookie=seed.session(grace)).json

    if how == "demoted":
        server.call("PUT", f"/v1/admin/users/{ada}/role", cookie=seed.session(grace), json={"is_admin": False})
    else:
        server.call("DELETE", f"/v1/admin/users/{ada}", cookie=seed.session(grace))

    assert seed.rows("SELECT id FROM invites") == [(kept["id"],)]
    assert seed.value("SELECT count(*) FROM login_links") == 0


def test_an_invite_is_shown_once_and_stored_hashed(server: Server, seed: Seed, grace: str) -> None:
    cookie = seed.session(grace)

    made = server.call("POST", "/v1/admin/invites", cookie=cookie)

    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    body = made.json
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", body["token"])
    assert body["url"] == f"{RP_ORIGIN}/auth/login?invite={body['token']}"
    assert body["expires_at"] == NOW_MS // 1000 + 7 * 86_400
    listed = server.get("/v1/admin/invites", cookie=cookie)
    assert listed == [
        {
            "id": body["id"],
            "token": f"{body['token'][:8]}…",
            "created_at": NOW_MS // 1000,
            "expires_at": body["expires_at"],
            "used": False,
            "created_by": "grace",
            "used_by": None,
            "name": "",
            "email": "",
            "mailed_at": None,
        }
    ]
    assert body["token"] not in str(seed.rows("SELECT * FROM invites"))


def test_invites_are_listed_newest_first_and_forgotten_in_the_end(server: Server, seed: Seed, grace: str) -> None:
    cookie = seed.session(grace, ttl_s=90 * 86_400)
    made = [server.call("POST", "/v1/admin/invites", cookie=cookie).json["id"] for _ in range(3)]
    assert [row["id"] for row in server.get("/v1/admin/invites", cookie=cookie)] == made[::-1]

    server.now_ms += 40 * 86_400_000
    newest = server.call("POST", "/v1/admin/invites", cookie=cookie).json["id"]

    assert [row["id"] for row in server.get("/v1/admin/invites", cookie=cookie)] == [newest]


@pytest.mark.parametrize(("query", "status"), [("", 401), ("?tokens=keep", 200)])
def test_a_reset_removes_every_account_and_its_access(
    server: Server, seed: Seed, grace: str, ada: str, query: str, status: int
) -> None:
    project = seed.project("shop")
    seed.db.execute("UPDATE projects SET created_by = ?", (grace,))
    cookie, token = seed.session(grace), seed.token(project, "errors:read", created_by=ada)
    operators = seed.token(project, "errors:read")
    server.call("POST", "/v1/admin/invites", cookie=cookie)

    result = server.call("POST", f"/v1/admin/reset{query}", cookie=cookie, json={"confirm": True})

    assert (result.status_code, result.json) == (200, {"status": "ok"})
    assert "Max-Age=0" in result.headers["Set-Cookie"]
    assert server.get("/auth/status") == {"setup_complete": False}
    assert server.call("GET", "/v1/stats", token=token).status_code == status
    assert server.call("GET", "/v1/stats", token=operators).status_code == 200
    tables = ("webauthn_users", "passkeys", "sign_ins", "invites", "login_links")
    assert [seed.value(f"SELECT count(*) FROM {table}") for table in tables] == [0] * 5


def test_a_large_body_is_refused_before_it_is_read(server: Server, seed: Seed, grace: str, ada: str) -> None:
    result = server.call(
        "PUT",
        f"/v1/admin/users/{ada}/role",
        cookie=seed.session(grace),
        body='{"is_admin": true, "x": "' + "x" * 70_000,
    )

    assert result.status_code == 413


# One's own account ------------------------------------------------------------------------------------------------


def test_passkeys_are_named_and_removed_but_never_the_last(server: Server, seed: Seed, ada: str) -> None:
    cookie, first, second = seed.session(ada), passkey(seed, ada), passkey(seed, ada, "Phone")

    renamed = submit(server, f"/settings/account/passkeys/{first}/name", cookie, name=" Work  laptop ")
    assert (renamed.status_code, renamed.headers["Location"]) == (303, "/settings/account?done=passkey-renamed")
    assert "Work laptop" in server.call("GET", "/settings/account", cookie=cookie).text
    removed = submit(server, f"/settings/account/passkeys/{second}/remove", cookie)
    assert (removed.status_code, removed.headers["Location"]) == (303, "/settings/account?done=passkey-removed")

    last = submit(server, f"/settings/account/passkeys/{first}/remove", cookie)

    assert last.status_code == 409
    assert "this is your only passkey" in last.text
    assert seed.rows("SELECT name FROM passkeys") == [("Work laptop",)]
    assert "Remove this passkey" not in server.call("GET", "/settings/account", cookie=cookie).text


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\u202eb", "a\x00b"])
def test_a_passkey_has_a_name_one_can_read(server: Server, seed: Seed, ada: str, name: str) -> None:
    mine = passkey(seed, ada)

    result = submit(server, f"/settings/account/passkeys/{mine}/name", seed.session(ada), name=name)

    assert result.status_code == 400
    assert seed.value("SELECT name FROM passkeys") == "Laptop"


def test_users_cannot_change_another_users_passkeys_or_sessions(
    server: Server, seed: Seed, grace: str, ada: str
) -> None:
    hers, his = seed.session(grace), seed.session(ada)
    key = passkey(seed, ada)
    passkey(seed, ada)
    handle = credentials.token_hash(his)[:16]

    assert submit(server, f"/settings/account/passkeys/{key}/name", hers, name="mine").status_code == 404
    assert submit(server, f"/settings/account/passkeys/{key}/remove", hers).status_code == 404
    submit(server, f"/settings/account/sign-ins/{handle}/end", hers)

    assert server.call("GET", "/v1/stats", cookie=his).status_code == 200
    assert seed.value("SELECT count(*) FROM passkeys WHERE name = 'Laptop'") == 2


def test_sessions_are_listed_and_ended(server: Server, seed: Seed, ada: str) -> None:
    here, there, elsewhere = (seed.session(ada) for _ in range(3))
    page = server.call("GET", "/settings/account", cookie=here).text
    assert page.count(">This browser<") == 1
    assert page.count("Unknown browser") == 3 + 2  # the names, and what their buttons are called

    handle = credentials.token_hash(there)[:16]
    assert f"/settings/account/sign-ins/{handle}/end" in page
    ended = submit(server, f"/settings/account/sign-ins/{handle}/end", here)
    assert ended.headers["Location"] == "/settings/account?done=sign-in-ended"
    assert [server.call("GET", "/v1/stats", cookie=c).status_code for c in (here, there, elsewhere)] == [200, 401, 200]

    submit(server, "/settings/account/sign-ins/end-others", here)
    assert [server.call("GET", "/v1/stats", cookie=c).status_code for c in (here, elsewhere)] == [200, 401]


def test_a_session_records_its_last_use_at_most_once_a_minute(server: Server, seed: Seed, ada: str) -> None:
    cookie, noted = seed.session(ada), []

    for after_ms in (0, 59_000, 60_000, 70_000):
        server.now_ms = NOW_MS + after_ms
        server.get("/v1/stats", cookie=cookie)
        noted.append(seed.value("SELECT last_seen_at FROM sign_ins") - NOW_MS // 1000)

    assert noted == [0, 0, 60, 60]


def test_sessions_a_seeding_script_wrote_work_and_are_shown(server: Server, seed: Seed) -> None:
    seed.db.execute(
        "INSERT INTO webauthn_users (id, username, display_name, created_at, is_admin)"
        " VALUES ('test-user', 't', 'T', 1, 1)"
    )
    seed.db.execute(
        "INSERT INTO sign_ins (token, user_id, created_at, expires_at) VALUES (?, 'test-user', 1, ?)",
        (credentials.token_hash("cookie"), NOW_MS // 1000 + 60),
    )

    assert server.call("GET", "/settings/people", cookie="cookie").status_code == 200
    assert "This browser" in server.call("GET", "/settings/account", cookie="cookie").text


def test_the_operator_is_led_to_an_account_of_their_own(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    assert "Create your account" in server.call("GET", "/settings/account", cookie=cookie).text

    result = submit(server, "/settings/account/set-up", cookie)

    assert result.status_code == 303
    path, _, query = result.headers["Location"].partition("?")
    page = server.call("GET", path, query_string=query).text
    assert "Set up bloop" in page
    assert 'data-start="/auth/register/start"' in page
    assert submit(server, "/settings/account/sign-ins/end-others", cookie).status_code == 409
    seed.user("grace", is_admin=True)
    assert submit(server, "/settings/account/set-up", cookie).status_code == 409


# People -----------------------------------------------------------------------------------------------------------


def test_an_admin_sees_everybody_and_no_buttons_beside_themselves(
    server: Server, seed: Seed, grace: str, ada: str
) -> None:
    passkey(seed, ada)

    page = server.call("GET", "/settings/people", cookie=seed.session(grace)).text

    lines = page.split("<li data-person>")[1:]
    assert ["grace" in lines[0], "ada" in lines[1]] == [True, True]
    assert ["<form" in line.split("</ul>")[0] for line in lines] == [False, True]
    assert "Make admin" in lines[1]
    assert "1 passkey<" in lines[1]


def test_ordinary_people_are_offered_only_what_they_may_open(server: Server, seed: Seed, grace: str, ada: str) -> None:
    hers, his = (server.call("GET", "/settings", cookie=seed.session(who)).text for who in (grace, ada))

    for path in ("/settings/people", "/settings/storage"):
        assert [path in page for page in (hers, his)] == [True, False]
    for path in ("/settings/account", "/settings/projects", "/system", "/ledger"):
        assert [path in page for page in (hers, his)] == [True, True]


def test_the_buttons_of_the_page_do_what_the_api_does(server: Server, seed: Seed, grace: str, ada: str) -> None:
    cookie = seed.session(grace)

    promoted = submit(server, f"/settings/people/{ada}/role", cookie, role="admin")
    assert promoted.headers["Location"] == "/settings/people?done=role"
    assert seed.value("SELECT is_admin FROM webauthn_users WHERE id = ?", ada) == 1
    assert submit(server, f"/settings/people/{ada}/role", cookie, role="owner").status_code == 400
    assert submit(server, f"/settings/people/{grace}/role", cookie, role="user").status_code == 400
    assert submit(server, f"/settings/people/{grace}/remove", cookie).status_code == 400
    assert (
        submit(server, f"/settings/people/{ada}/remove", cookie).headers["Location"] == "/settings/people?done=removed"
    )
    assert seed.rows("SELECT username FROM webauthn_users") == [("grace",)]


@pytest.mark.parametrize("button", ["invites", "{ada}/link"])
def test_a_link_is_shown_once_and_kept_nowhere(server: Server, seed: Seed, grace: str, ada: str, button: str) -> None:
    cookie = seed.session(grace)
    headers = FORM | {"Accept-Encoding": "gzip"}

    result = server.call("POST", f"/settings/people/{button.format(ada=ada)}", cookie=cookie, headers=headers)

    assert (result.status_code, result.headers["Cache-Control"]) == (200, "no-store")
    assert "Content-Encoding" not in result.headers  # a secret is never packed beside what a visitor wrote
    [url] = re.findall(rf"{RP_ORIGIN}/auth/login\?(?:invite|token)=[A-Za-z0-9_-]{{43}}", result.text)
    assert url not in server.call("GET", "/settings/people", cookie=cookie).text


def test_an_open_invitation_can_be_taken_back(server: Server, seed: Seed, grace: str) -> None:
    cookie = seed.session(grace)
    made = server.call("POST", "/v1/admin/invites", cookie=cookie).json

    result = submit(server, f"/settings/people/invites/{made['id']}/remove", cookie)

    assert result.headers["Location"] == "/settings/people?done=invite-removed"
    assert seed.value("SELECT count(*) FROM invites") == 0


def test_notices_use_fixed_texts_only(server: Server, seed: Seed, grace: str) -> None:
    cookie = seed.session(grace)

    assert (
        "Role changed, effective immediately." in server.call("GET", "/settings/people?done=role", cookie=cookie).text
    )
    assert "Send money" not in server.call("GET", "/settings/people?done=Send+money", cookie=cookie).text
