"""Every passkey ceremony over HTTP, with an authenticator in software that can also answer wrong."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from falcon import testing

from bloop.accounts.invites.store import create_invite
from bloop.accounts.links.store import create_login_link
from bloop.accounts.passkeys.read import list_passkeys
from bloop.accounts.passkeys.webauthn import handle_of
from bloop.base import credentials
from bloop.db import connection
from tests.authenticator import USER_PRESENT, Authenticator, to_bytes, to_text
from tests.integration.api.conftest import RP_ORIGIN, Server
from tests.seed import NOW_MS, Seed

RP_ID = "errors.example.com"
COOKIE = "__Host-bloop_session"
CHROME = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"}


@pytest.fixture
def device() -> Authenticator:
    return Authenticator(RP_ORIGIN, RP_ID)


class Person:
    """Somebody at a browser: performs ceremonies against the server with their device."""

    def __init__(self, server: Server, device: Authenticator) -> None:
        self.server, self.device, self.cookie = server, device, ""

    def post(self, path: str, **body: Any) -> testing.Result:
        return self.server.call("POST", path, cookie=self.cookie or None, json=body, headers=CHROME)

    def start(self, path: str, **body: Any) -> dict[str, Any]:
        result = self.post(path, **body)
        assert result.status_code == 200, result.text
        return dict(result.json)

    def make_account(self, path: str, **fields: str) -> testing.Result:
        begun = self.start(f"{path}/start", **fields)
        answer = self.device.create(begun["publicKey"])
        return self._came_in(
            self.post(f"{path}/finish", **fields, challenge_id=begun["challenge_id"], credential=answer)
        )

    def sign_in(self, **bent: Any) -> testing.Result:
        begun = self.start("/auth/login/start")
        answer = self.device.get(begun["publicKey"], **bent)
        return self._came_in(self.post("/auth/login/finish", challenge_id=begun["challenge_id"], credential=answer))

    def add_passkey(self, **fields: str) -> testing.Result:
        begun = self.start("/auth/passkeys/start")
        answer = self.device.create(begun["publicKey"])
        return self.post("/auth/passkeys/finish", challenge_id=begun["challenge_id"], credential=answer, **fields)

    def sees(self, path: str) -> int:
        return self.server.call("GET", path, cookie=self.cookie or None).status_code

    def _came_in(self, result: testing.Result) -> testing.Result:
        if COOKIE in result.cookies:
            self.cookie = result.cookies[COOKIE].value
        return result


def setup_link(seed: Seed) -> str:
    with connection.immediate(seed.db):
        return create_login_link(seed.db, now_ms=NOW_MS, ttl_s=900)


def invite(seed: Seed, created_by: str | None = None) -> str:
    with connection.immediate(seed.db):
        return create_invite(seed.db, created_by=created_by, now_ms=NOW_MS).token


@pytest.fixture
def ada(server: Server, seed: Seed, device: Authenticator) -> Person:
    """The first account."""
    person = Person(server, device)
    result = person.make_account("/auth/register", username="ada", setup_token=setup_link(seed))
    assert (result.status_code, result.json) == (200, {"status": "ok"})
    return person


@pytest.fixture
def newcomer(server: Server) -> Callable[[], Person]:
    return lambda: Person(server, Authenticator(RP_ORIGIN, RP_ID))


# The first account ------------------------------------------------------------------------------------------------


def test_the_first_account_is_an_admin_and_signed_in(server: Server, seed: Seed, ada: Person) -> None:
    assert ada.sees("/v1/admin/users") == 200
    [user] = server.get("/v1/admin/users", cookie=ada.cookie)
    assert (user["username"], user["is_admin"], user["created_at"]) == ("ada", True, NOW_MS // 1000)
    [row] = list_passkeys(seed.db, user["id"])
    assert (row.name, row.transports, row.sign_count, bool(row.is_synced)) == (
        "Chrome on Linux",
        "internal hybrid",
        0,
        False,
    )
    assert ada.device.credentials[0].user_handle == handle_of(user["id"])
    assert seed.rows("SELECT agent, network, last_seen_at FROM sign_ins")[0][0] == "Chrome on Linux"


def test_the_browser_is_asked_for_a_discoverable_passkey_of_a_verified_person(server: Server, seed: Seed) -> None:
    begun = Person(server, Authenticator(RP_ORIGIN, RP_ID)).start(
        "/auth/register/start", username="  ada ", setup_token=setup_link(seed)
    )

    options = begun["publicKey"]
    assert (options["rp"], options["user"]["name"]) == ({"id": RP_ID, "name": "bloop"}, "ada")
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert {"alg": -7, "type": "public-key"} in options["pubKeyCredParams"]
    assert {"alg": -257, "type": "public-key"} in options["pubKeyCredParams"]
    assert (options["attestation"], options["excludeCredentials"]) == ("none", [])
    assert len(to_bytes(options["challenge"])) == 32
    assert len(to_bytes(options["user"]["id"])) == 16


def test_registration_requires_the_set_up_link(server: Server, seed: Seed) -> None:
    for proof in ({}, {"setup_token": "wrong"}, {"setup_token": invite(seed)}):
        result = server.call("POST", "/auth/register/start", json={"username": "eve"} | proof)

        assert result.status_code == 403
        assert "set-up link" in result.json["error"]
    assert seed.value("SELECT count(*) FROM webauthn_users") == 0


def test_one_set_up_link_makes_one_account(server: Server, seed: Seed, newcomer: Callable[[], Person]) -> None:
    link, one, two = setup_link(seed), newcomer(), newcomer()
    begun = [
        person.start("/auth/register/start", username=f"u{n}", setup_token=link) for n, person in enumerate((one, two))
    ]
    answers = [person.device.create(b["publicKey"]) for person, b in zip((one, two), begun, strict=True)]

    def finish(n: int) -> testing.Result:
        return one.post("/auth/register/finish", challenge_id=begun[n]["challenge_id"], credential=answers[n])

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(result.status_code for result in pool.map(finish, (0, 1)))

    assert statuses == [200, 403]
    assert seed.value("SELECT count(*) FROM webauthn_users") == 1


def test_a_link_used_elsewhere_during_the_ceremony_creates_no_account(
    server: Server, seed: Seed, device: Authenticator
) -> None:
    link, person = setup_link(seed), Person(server, device)
    begun = person.start("/auth/register/start", username="ada", setup_token=link)
    answer = device.create(begun["publicKey"])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.call("POST", "/auth/login", body=f"token={link}", headers=form).status_code == 303

    result = person.post("/auth/register/finish", challenge_id=begun["challenge_id"], credential=answer)

    assert (result.status_code, "set-up link" in result.json["error"]) == (403, True)
    assert seed.value("SELECT count(*) FROM webauthn_users") == 0


def test_a_set_up_link_is_no_good_once_anybody_has_an_account(server: Server, seed: Seed) -> None:
    link = setup_link(seed)
    seed.user("ada")  # as a seeding script would: past everything that ends such links
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert "Set up bloop" not in server.call("GET", "/auth/login", query_string=f"token={link}").text
    assert server.call("POST", "/auth/login", body=f"token={link}", headers=form).status_code == 401


def test_an_account_closes_registration_and_ends_sessions_without_one(
    server: Server, seed: Seed, device: Authenticator
) -> None:
    operator, other_link, link = seed.session(), setup_link(seed), setup_link(seed)
    assert server.call("GET", "/v1/stats", cookie=operator).status_code == 200

    Person(server, device).make_account("/auth/register", username="ada", setup_token=link)

    assert server.call("GET", "/v1/stats", cookie=operator).status_code == 401
    closed = server.call("POST", "/auth/register/start", json={"username": "eve", "setup_token": other_link})
    assert (closed.status_code, closed.json) == (403, {"error": "registration is closed"})
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.call("POST", "/auth/login", body=f"token={other_link}", headers=form).status_code == 401
    assert server.get("/auth/status") == {"setup_complete": True}


@pytest.mark.parametrize(
    ("username", "error"),
    [
        ("", "username is required"),
        (" \t ", "username is required"),
        ("a" * 65, "username must be at most 64 characters"),
        ("a\u202eb", "username must not contain control or invisible characters"),
        (7, "username must be a string"),
    ],
)
def test_unreadable_names_are_refused(server: Server, seed: Seed, username: Any, error: str) -> None:
    result = server.call("POST", "/auth/register/start", json={"username": username, "setup_token": setup_link(seed)})

    assert (result.status_code, result.json) == (400, {"error": error})


@pytest.mark.parametrize(
    "bent",
    [
        {"origin": "https://evil.example"},
        {"origin": RP_ORIGIN + ":8443"},
        {"rp_id": "example.com"},
        {"challenge": to_text(b"x" * 32)},
        {"type": "webauthn.get"},
        {"flags": USER_PRESENT},
        {"flags": 0x04},
    ],
    ids=lambda bent: next(iter(bent)),
)
def test_a_registration_that_does_not_verify_creates_no_account(
    server: Server, seed: Seed, device: Authenticator, bent: dict[str, Any]
) -> None:
    link = setup_link(seed)
    begun = Person(server, device).start("/auth/register/start", username="ada", setup_token=link)

    answer = device.create(begun["publicKey"], **bent)
    result = server.call(
        "POST", "/auth/register/finish", json={"challenge_id": begun["challenge_id"], "credential": answer}
    )

    assert (result.status_code, result.json) == (400, {"error": "registration failed"})
    assert "Set-Cookie" not in result.headers
    assert seed.value("SELECT count(*) FROM webauthn_users") == 0
    assert Person(server, device).make_account("/auth/register", username="ada", setup_token=link).status_code == 200


# Signing in -------------------------------------------------------------------------------------------------------


def test_signing_in_opens_a_session_and_notes_the_use(server: Server, seed: Seed, ada: Person) -> None:
    first = ada.cookie
    server.now_ms += 5000

    result = ada.sign_in()

    assert (result.status_code, result.json) == (200, {"status": "ok"})
    cookie = result.headers["Set-Cookie"]
    assert cookie.endswith("; HttpOnly; SameSite=Lax; Path=/; Max-Age=604800; Secure")
    assert ada.sees("/v1/admin/users") == 200
    assert seed.rows("SELECT sign_count, last_used_at FROM passkeys") == [(1, NOW_MS // 1000 + 5)]
    assert (
        server.call("GET", "/v1/stats", cookie=first).status_code == 401
    )  # the same browser: its former session ended


def test_answers_do_not_reveal_who_has_an_account(server: Server, seed: Seed, ada: Person) -> None:
    options = Person(server, ada.device).start("/auth/login/start")["publicKey"]

    assert (options["allowCredentials"], options["rpId"], options["userVerification"]) == ([], RP_ID, "required")
    stranger = Person(server, Authenticator(RP_ORIGIN, RP_ID))
    stranger.device.create({"user": {"id": "AAAA"}, "challenge": "AAAA"})
    unknown, wrong = stranger.sign_in(), Person(server, ada.device).sign_in(signature=b"0" * 70)
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.json == wrong.json == {"error": "authentication failed"}


def test_signing_in_before_anybody_registered(server: Server) -> None:
    result = server.call("POST", "/auth/login/start")

    assert (result.status_code, result.json) == (400, {"error": "no credentials registered"})


FORGED = 'x"\n2026-01-01T00:00:00Z writer[1] info all is well\r\n" planted-7f3a'


@pytest.mark.parametrize("bent", [{"origin": FORGED}, {"type": FORGED}], ids=lambda bent: next(iter(bent)))
def test_nothing_a_browser_sent_is_in_the_log(
    server: Server, seed: Seed, ada: Person, bent: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert Person(server, ada.device).sign_in(**bent).status_code == 401
    begun = ada.start("/auth/passkeys/start")
    answer = ada.device.create(begun["publicKey"], **bent)
    assert ada.post("/auth/passkeys/finish", challenge_id=begun["challenge_id"], credential=answer).status_code == 400

    said = [record.getMessage() for record in caplog.records]
    assert [message.partition(":")[0] for message in said] == ["sign-in failed", "registration failed"]
    assert not any("planted" in message or "\n" in message for message in said)


@pytest.mark.parametrize(
    "bent",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://errors.example.com"},
        {"rp_id": "evil.example"},
        {"challenge": to_text(b"x" * 32)},
        {"type": "webauthn.create"},
        {"flags": USER_PRESENT},
        {"flags": 0x04},
        {"signature": b""},
        {"user_handle": b"somebody else"},
    ],
    ids=lambda bent: next(iter(bent)),
)
def test_a_sign_in_that_does_not_verify_is_refused_and_spends_nothing(
    server: Server, seed: Seed, ada: Person, bent: dict[str, Any]
) -> None:
    result = Person(server, ada.device).sign_in(**bent)

    assert (result.status_code, result.json) == (401, {"error": "authentication failed"})
    assert "Set-Cookie" not in result.headers
    assert seed.rows("SELECT sign_count, suspect_at FROM passkeys") == [(0, None)]
    assert ada.sign_in().status_code == 200


@pytest.mark.parametrize(
    "credential",
    [None, 7, "x", {}, {"id": "x"}, {"id": 7, "response": {}}, {"id": "é", "response": {}}, {"response": []},
     {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"clientDataJSON": "AAAA"}}],
)  # fmt: skip
def test_answers_that_are_none_are_refused_in_the_same_words(server: Server, ada: Person, credential: Any) -> None:
    challenge_id = Person(server, ada.device).start("/auth/login/start")["challenge_id"]

    result = server.call("POST", "/auth/login/finish", json={"challenge_id": challenge_id, "credential": credential})

    assert (result.status_code, result.json) == (401, {"error": "authentication failed"})


@pytest.mark.parametrize("field", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
@pytest.mark.parametrize("value", [None, 7, "", "!", "AAAA", "_" * 60_000, {"a": 1}])
def test_a_broken_field_never_breaks_the_server(server: Server, ada: Person, field: str, value: Any) -> None:
    begun = Person(server, ada.device).start("/auth/login/start")
    answer = ada.device.get(begun["publicKey"])
    answer["response"][field] = value

    result = server.call(
        "POST", "/auth/login/finish", json={"challenge_id": begun["challenge_id"], "credential": answer}
    )

    assert result.status_code == 401 or (field == "userHandle" and not value and result.status_code == 200)


def test_an_answered_challenge_is_answered_once(server: Server, ada: Person) -> None:
    begun = ada.start("/auth/login/start")
    body = {"challenge_id": begun["challenge_id"], "credential": ada.device.get(begun["publicKey"])}
    assert server.call("POST", "/auth/login/finish", json=body).status_code == 200

    again = server.call("POST", "/auth/login/finish", json=body)

    assert (again.status_code, again.json) == (401, {"error": "authentication failed"})  # its counter did not rise


def test_a_replayed_answer_without_a_counter_is_refused_too(server: Server, seed: Seed) -> None:
    synced = Person(server, Authenticator(RP_ORIGIN, RP_ID, counts=False, is_synced=True))
    synced.make_account("/auth/register", username="ada", setup_token=setup_link(seed))
    begun = synced.start("/auth/login/start")
    body = {"challenge_id": begun["challenge_id"], "credential": synced.device.get(begun["publicKey"])}

    results = [server.call("POST", "/auth/login/finish", json=body) for _ in range(2)]

    assert [r.status_code for r in results] == [200, 400]
    assert results[1].json == {"error": "challenge expired or invalid"}
    assert seed.rows("SELECT is_synced, suspect_at FROM passkeys") == [(1, None)]
    assert synced.sign_in().status_code == 200


def test_of_two_answers_at_the_same_moment_one_signs_in(server: Server, seed: Seed, ada: Person) -> None:
    begun = ada.start("/auth/login/start")
    body = {"challenge_id": begun["challenge_id"], "credential": ada.device.get(begun["publicKey"])}

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: server.call("POST", "/auth/login/finish", json=body).status_code, range(4)))

    assert results.count(200) == 1
    assert seed.value("SELECT count(*) FROM sign_ins") == 2  # that one, and the registration's


def test_a_counter_that_goes_back_refuses_the_sign_in_and_marks_the_passkey(
    server: Server, seed: Seed, ada: Person
) -> None:
    ada.sign_in(count=9)

    copied = Person(server, ada.device).sign_in(count=9)

    assert (copied.status_code, copied.json) == (401, {"error": "authentication failed"})
    assert seed.rows("SELECT sign_count, suspect_at FROM passkeys") == [(9, NOW_MS // 1000)]
    page = server.call("GET", "/settings/account", cookie=ada.cookie)
    assert "Possibly copied" in page.text
    assert Person(server, ada.device).sign_in(count=10).status_code == 200


def test_only_a_valid_signature_can_mark_a_passkey_as_copied(server: Server, seed: Seed, ada: Person) -> None:
    ada.sign_in(count=9)

    Person(server, ada.device).sign_in(count=1, signature=b"0" * 70)

    assert seed.value("SELECT suspect_at FROM passkeys") is None


# Challenges -------------------------------------------------------------------------------------------------------


def test_a_challenge_runs_out_after_two_minutes(server: Server, ada: Person) -> None:
    begun = ada.start("/auth/login/start")
    answer = ada.device.get(begun["publicKey"])
    server.now_ms += 120_000

    result = ada.post("/auth/login/finish", challenge_id=begun["challenge_id"], credential=answer)

    assert (result.status_code, result.json) == (400, {"error": "challenge expired or invalid"})


@pytest.mark.parametrize("note", [None, "", "x", "é", "AAAA" * 20, "A" * 5000])
def test_a_made_up_challenge_is_refused(server: Server, ada: Person, note: str | None) -> None:
    result = server.call("POST", "/auth/login/finish", json={"challenge_id": note, "credential": {}})

    assert (result.status_code, result.json) == (400, {"error": "challenge expired or invalid"})


def test_a_challenge_is_valid_only_for_its_purpose(server: Server, seed: Seed, ada: Person) -> None:
    begun = ada.start("/auth/login/start")

    for path in ("/auth/register/finish", "/auth/invite/register/finish", "/auth/passkeys/finish"):
        result = ada.post(path, challenge_id=begun["challenge_id"], credential={})
        assert (result.status_code, result.json) == (400, {"error": "wrong challenge type"})


def test_challenges_of_strangers_store_nothing_and_displace_no_user(server: Server, seed: Seed, ada: Person) -> None:
    begun = ada.start("/auth/login/start")

    for _ in range(300):
        assert server.call("POST", "/auth/login/start").status_code == 200

    assert seed.value("SELECT count(*) FROM spent_challenges") == 1  # the registration's
    answer = ada.device.get(begun["publicKey"])
    assert ada.post("/auth/login/finish", challenge_id=begun["challenge_id"], credential=answer).status_code == 200


def test_spent_challenges_are_forgotten_once_they_could_not_be_used_anyway(
    server: Server, seed: Seed, ada: Person
) -> None:
    ada.sign_in()
    server.now_ms += 121_000

    ada.sign_in()

    assert seed.value("SELECT count(*) FROM spent_challenges") == 1


def test_the_answer_of_another_site_is_not_even_looked_at(server: Server, ada: Person) -> None:
    begun = ada.start("/auth/login/start")
    body = {"challenge_id": begun["challenge_id"], "credential": ada.device.get(begun["publicKey"])}
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}

    result = server.call("POST", "/auth/login/finish", json=body, headers=evil)

    assert (result.status_code, result.json) == (403, {"error": "this request comes from another site"})


# Invitations ------------------------------------------------------------------------------------------------------


def test_an_invited_person_is_an_ordinary_user(
    server: Server, seed: Seed, ada: Person, newcomer: Callable[[], Person]
) -> None:
    made = ada.start("/v1/admin/invites")
    ben = newcomer()

    result = ben.make_account("/auth/invite/register", username="Ben", invite_token=made["token"])

    assert (result.status_code, result.json) == (200, {"status": "ok"})
    assert [ben.sees(path) for path in ("/v1/stats", "/", "/v1/admin/users", "/settings/people")] == [
        200,
        200,
        403,
        403,
    ]
    [listed] = server.get("/v1/admin/invites", cookie=ada.cookie)
    assert (listed["used"], listed["used_by"], listed["created_by"]) == (True, "Ben", "ada")
    assert ben.sign_in().status_code == 200


def test_an_invite_works_once_and_for_seven_days(
    server: Server, seed: Seed, ada: Person, newcomer: Callable[[], Person]
) -> None:
    used, late, revoked = (ada.start("/v1/admin/invites") for _ in range(3))
    newcomer().make_account("/auth/invite/register", username="ben", invite_token=used["token"])
    server.call("DELETE", f"/v1/admin/invites/{revoked['id']}", cookie=ada.cookie)

    def refusal(token: str) -> tuple[int, Any]:
        result = newcomer().post("/auth/invite/register/start", username="carl", invite_token=token)
        return result.status_code, result.json

    bad = (400, {"error": "invite token is invalid or expired"})
    assert [refusal(t) for t in (used["token"], revoked["token"], "", "wrong")] == [bad] * 4
    begun = newcomer().start("/auth/invite/register/start", username="carl", invite_token=late["token"])
    assert begun["publicKey"]["user"]["name"] == "carl"
    server.now_ms += 7 * 86_400_000
    assert refusal(late["token"]) == bad


def test_an_invite_revoked_during_the_ceremony_creates_no_account(
    server: Server, seed: Seed, ada: Person, newcomer: Callable[[], Person]
) -> None:
    made, ben = ada.start("/v1/admin/invites"), newcomer()
    fields = {"username": "ben", "invite_token": made["token"]}
    begun = ben.start("/auth/invite/register/start", **fields)
    answer = ben.device.create(begun["publicKey"])
    server.call("DELETE", f"/v1/admin/invites/{made['id']}", cookie=ada.cookie)

    result = ben.post("/auth/invite/register/finish", **fields, challenge_id=begun["challenge_id"], credential=answer)

    assert (result.status_code, result.json) == (400, {"error": "invite token is invalid or expired"})
    assert seed.value("SELECT count(*) FROM webauthn_users") == 1


def test_the_ceremony_of_one_invite_cannot_be_finished_with_another(
    server: Server, seed: Seed, ada: Person, newcomer: Callable[[], Person]
) -> None:
    one, two, ben = ada.start("/v1/admin/invites"), ada.start("/v1/admin/invites"), newcomer()
    begun = ben.start("/auth/invite/register/start", username="ben", invite_token=one["token"])
    answer = ben.device.create(begun["publicKey"])

    for token in (two["token"], "", None):
        result = ben.post(
            "/auth/invite/register/finish", invite_token=token, challenge_id=begun["challenge_id"], credential=answer
        )
        assert (result.status_code, result.json) == (400, {"error": "invite token is invalid or expired"})


def test_a_name_belongs_to_one_user_in_any_case(server: Server, ada: Person, newcomer: Callable[[], Person]) -> None:
    made = ada.start("/v1/admin/invites")

    result = newcomer().post("/auth/invite/register/start", username="ADA", invite_token=made["token"])

    assert (result.status_code, result.json) == (409, {"error": "that username is taken"})


# More than one passkey --------------------------------------------------------------------------------------------


def test_a_second_passkey_opens_the_same_account(server: Server, seed: Seed, ada: Person) -> None:
    begun = ada.start("/auth/passkeys/start")
    first = to_text(ada.device.credentials[0].id)
    assert [entry["id"] for entry in begun["publicKey"]["excludeCredentials"]] == [first]

    result = ada.add_passkey(name="Phone")

    assert (result.status_code, result.json["status"]) == (200, "ok")
    assert [row[0] for row in seed.rows("SELECT name FROM passkeys ORDER BY rowid")] == ["Chrome on Linux", "Phone"]
    for credential in ada.device.credentials[:1] + ada.device.credentials[-1:]:
        assert Person(server, ada.device).sign_in(credential=credential).status_code == 200


def test_a_credential_is_registered_once(server: Server, ada: Person) -> None:
    begun = [ada.start("/auth/passkeys/start") for _ in range(2)]
    answers = [ada.device.create(b["publicKey"]) for b in begun]
    ada.post("/auth/passkeys/finish", challenge_id=begun[0]["challenge_id"], credential=answers[0])
    replay = ada.post("/auth/passkeys/finish", challenge_id=begun[0]["challenge_id"], credential=answers[0])

    assert (replay.status_code, replay.json) == (400, {"error": "challenge expired or invalid"})


def test_a_user_cannot_add_a_passkey_to_another_account(
    server: Server, seed: Seed, ada: Person, newcomer: Callable[[], Person]
) -> None:
    ben = newcomer()
    ben.make_account("/auth/invite/register", username="ben", invite_token=invite(seed))
    begun = ada.start("/auth/passkeys/start")
    answer = ada.device.create(begun["publicKey"])

    result = ben.post("/auth/passkeys/finish", challenge_id=begun["challenge_id"], credential=answer)

    assert (result.status_code, result.json) == (400, {"error": "challenge expired or invalid"})


def test_the_operator_has_no_account_to_add_a_passkey_to(server: Server, seed: Seed) -> None:
    result = server.call("POST", "/auth/passkeys/start", cookie=seed.session())

    assert (result.status_code, result.json) == (409, {"error": "passkeys belong to accounts: set one up first"})


def test_an_account_has_twenty_passkeys_at_most(server: Server, seed: Seed, ada: Person) -> None:
    statuses = [ada.add_passkey().status_code for _ in range(20)]

    assert statuses == [200] * 19 + [409]


# The way back in --------------------------------------------------------------------------------------------------


def test_a_link_for_one_person_signs_them_in_once(
    server: Server, seed: Seed, ada: Person, newcomer: Callable[[], Person]
) -> None:
    ben = newcomer()
    ben.make_account("/auth/invite/register", username="ben", invite_token=invite(seed))
    ben_id = seed.value("SELECT id FROM webauthn_users WHERE username = 'ben'")
    url = ada.start(f"/v1/admin/users/{ben_id}/link")["url"]
    token = url.removeprefix(f"{RP_ORIGIN}/auth/login?token=")
    assert credentials.token_hash(token) in str(seed.rows("SELECT token_hash FROM login_links"))

    assert "Welcome back, <bdi>ben</bdi>" in server.call("GET", "/auth/login", query_string=f"token={token}").text
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    result = server.call("POST", "/auth/login", body=f"token={token}", headers=form)

    assert (result.status_code, result.headers["Location"]) == (303, "/settings/account?by=link")
    back = Person(server, Authenticator(RP_ORIGIN, RP_ID))
    back.cookie = result.cookies[COOKIE].value
    assert "Add a passkey for this device" in server.call("GET", "/settings/account?by=link", cookie=back.cookie).text
    assert [back.sees("/v1/admin/users"), back.add_passkey(name="New phone").status_code] == [403, 200]
    assert Person(server, back.device).sign_in().status_code == 200
    assert server.call("POST", "/auth/login", body=f"token={token}", headers=form).status_code == 401
