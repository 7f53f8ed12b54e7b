"""Resolving in releases, muting until something happens, assigning: the API, the forms, and what the history says."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from falcon import testing

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.issues.status.mutes import FOR_MS_MAX
from tests.integration.api.conftest import RP_ORIGIN, Server
from tests.seed import NOW_MS, Seed

FORM = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", "Origin": RP_ORIGIN}
STATE = (
    "SELECT status, resolved_in_release, resolved_in_next, muted_until_ms, muted_events, muted_per_hour FROM issues"
    " WHERE fingerprint = 'f00d'"
)
UNTOUCHED = ("unresolved", None, 0, None, None, None)


@pytest.fixture
def shop(seed: Seed) -> int:
    project = seed.project("shop")
    seed.issue(project, "f00d", last_release="1.4.2")
    for release, at_ms in (("1.4.2", 5), ("1.5.0-rc.1", 9)):
        seed.db.execute("INSERT INTO releases VALUES (?, ?, 'production', 1, ?, ?)", (project, release, at_ms, at_ms))
    return project


def post(server: Server, seed: Seed, shop: int, action: str, **options: Any) -> testing.Result:
    return server.call("POST", f"/v1/errors/f00d/{action}", token=seed.token(shop, "errors:write"), **options)


def submit(server: Server, cookie: str, action: str, **fields: Any) -> testing.Result:
    body = urlencode(fields, doseq=True)
    return server.call("POST", f"/issues/SHOP-1/{action}", cookie=cookie, headers=FORM, body=body)


CHOICES = [
    ("resolve", {}, ("resolved", None, 0, None, None, None)),
    ("resolve", {"in_release": "1.4.2"}, ("resolved", "1.4.2", 0, None, None, None)),
    ("resolve", {"in_release": " 2.0 "}, ("resolved", "2.0", 0, None, None, None)),
    ("resolve", {"in_next_release": True}, ("resolved", "1.5.0-rc.1", 1, None, None, None)),
    ("resolve", {"in_next_release": False}, ("resolved", None, 0, None, None, None)),
    ("resolve", {"in_release": None, "events": 5}, ("resolved", None, 0, None, None, None)),
    ("mute", {}, ("muted", None, 0, None, None, None)),
    ("mute", {"for_secs": 60}, ("muted", None, 0, NOW_MS + 60_000, None, None)),
    ("mute", {"until": NOW_MS + DAY_MS}, ("muted", None, 0, NOW_MS + DAY_MS, None, None)),
    ("mute", {"until": NOW_MS // 1000 + 60}, ("muted", None, 0, NOW_MS + 60_000, None, None)),
    ("mute", {"events": 100}, ("muted", None, 0, None, 100, None)),
    ("mute", {"per_hour": 10}, ("muted", None, 0, None, None, 10)),
    ("ignore", {"events": "nonsense"}, ("ignored", None, 0, None, None, None)),
    ("unresolve", {"in_release": 5}, UNTOUCHED),
]


@pytest.mark.parametrize(("action", "body", "expected"), CHOICES)
def test_the_api_takes_how(
    server: Server, seed: Seed, shop: int, action: str, body: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    answer = post(server, seed, shop, action, json=body)

    assert answer.json == {
        "fingerprint": "f00d",
        "status": expected[0],
        "updated": 1,
        "undo_id": answer.json["undo_id"],
    }
    assert seed.rows(STATE) == [expected]


@pytest.mark.parametrize("body", ["", " \n", "null", "{}", '{"status": "x", "release": 5}'])
@pytest.mark.parametrize(("action", "status"), [("resolve", "resolved"), ("mute", "muted")])
def test_clients_that_send_no_body_or_an_unknown_one_get_the_old_answer(
    server: Server, seed: Seed, shop: int, action: str, status: str, body: str
) -> None:
    answer = post(server, seed, shop, action, body=body)

    assert answer.json == {"fingerprint": "f00d", "status": status, "updated": 1, "undo_id": answer.json["undo_id"]}
    assert seed.rows(STATE) == [(status, None, 0, None, None, None)]


REFUSED = [
    ("resolve", {"in_release": ""}, "in_release", "must name a release"),
    ("resolve", {"in_release": 5}, "in_release", "must name a release"),
    ("resolve", {"in_release": "x" * 257}, "in_release", "must be at most 256 bytes"),
    ("resolve", {"in_next_release": "yes"}, "in_next_release", "must be true or false"),
    (
        "resolve",
        {"in_release": "1", "in_next_release": True},
        "in_next_release",
        "cannot be said together with in_release",
    ),
    ("mute", {"for_secs": 0}, "for_secs", f"must be a whole number from 1 to {FOR_MS_MAX // 1000}"),
    ("mute", {"for_secs": 1.5}, "for_secs", f"must be a whole number from 1 to {FOR_MS_MAX // 1000}"),
    ("mute", {"events": True}, "events", "must be a whole number from 1 to 1000000000"),
    ("mute", {"events": -1}, "events", "must be a whole number from 1 to 1000000000"),
    ("mute", {"per_hour": "10"}, "per_hour", "must be a whole number from 1 to 1000000000"),
    ("mute", {"per_hour": 10**12}, "per_hour", "must be a whole number from 1 to 1000000000"),
    ("mute", {"until": NOW_MS}, "until", "must be in the future, within ten years"),
    ("mute", {"until": NOW_MS + FOR_MS_MAX + 1}, "until", "must be in the future, within ten years"),
    ("mute", {"until": "tomorrow"}, "until", "must be a Unix time"),
    ("mute", {"events": 5, "per_hour": 5}, "per_hour", "cannot be said together with events"),
    ("assign", {}, "assignee", "must be a username, or null to unassign"),
    ("assign", {"assignee": ""}, "assignee", "must be a username, or null to unassign"),
    ("assign", {"assignee": 5}, "assignee", "must be a username, or null to unassign"),
    ("assign", {"assignee": "nobody of this name"}, "assignee", "there is no account of this name"),
]


@pytest.mark.parametrize(("action", "body", "field", "why"), REFUSED)
def test_an_invalid_change_names_the_field_and_changes_nothing(
    server: Server, seed: Seed, shop: int, action: str, body: dict[str, Any], field: str, why: str
) -> None:
    answer = post(server, seed, shop, action, json=body)

    assert (answer.status_code, answer.json) == (400, {"error": f"{field}: {why}", "path": field})
    assert seed.rows(STATE) == [UNTOUCHED]
    assert seed.rows("SELECT * FROM status_changes") == []


@pytest.mark.parametrize("body", ["[]", "resolved", '{"in_release": NaN}', "5"])
def test_a_body_that_is_no_object_is_refused(server: Server, seed: Seed, shop: int, body: str) -> None:
    assert post(server, seed, shop, "resolve", body=body).status_code == 400
    assert seed.rows(STATE) == [UNTOUCHED]


def test_a_project_without_releases_has_no_next_one(server: Server, seed: Seed, shop: int) -> None:
    seed.db.execute("UPDATE releases SET release = 'unknown' WHERE release = '1.4.2'")
    seed.db.execute("DELETE FROM releases WHERE release <> 'unknown'")

    answer = post(server, seed, shop, "resolve", json={"in_next_release": True})

    assert answer.status_code == 400
    assert answer.json["path"] == "in_next_release"


def test_an_issue_is_assigned_and_unassigned(server: Server, seed: Seed, shop: int) -> None:
    ada = seed.user("ada")

    answer = post(server, seed, shop, "assign", json={"assignee": "ADA"}).json
    assert answer == {"fingerprint": "f00d", "assignee": "ada", "updated": 1, "undo_id": answer["undo_id"]}
    assert seed.rows("SELECT assignee FROM issues") == [(ada,)]
    post(server, seed, shop, "assign", json={"assignee": "ada"})
    assert post(server, seed, shop, "assign", json={"assignee": None}).json["assignee"] is None

    assert seed.rows("SELECT assignee, status FROM issues") == [(None, "unresolved")]
    assert seed.rows("SELECT kind FROM signals") == [("issue.assigned",)] * 2  # saying it again is no news
    assert len(seed.rows("SELECT * FROM status_changes WHERE action = 'assigned'")) == 3


def test_a_fingerprint_with_slashes_is_assigned_too(server: Server, seed: Seed, shop: int) -> None:
    seed.issue(shop, "a/b/assign")
    seed.user("ada")
    token = seed.token(shop, "errors:write")

    answer = server.call("POST", "/v1/errors/a/b/assign/assign", token=token, json={"assignee": "ada"})

    assert answer.json["fingerprint"] == "a/b/assign"


def test_a_removed_account_leaves_the_issue_and_its_name_in_the_history(server: Server, seed: Seed, shop: int) -> None:
    ada = seed.user("ada")
    post(server, seed, shop, "assign", json={"assignee": "ada"})

    seed.db.execute("DELETE FROM webauthn_users WHERE id = ?", (ada,))

    assert seed.rows("SELECT assignee FROM issues") == [(None,)]
    (change,) = server.get("/v1/errors/f00d/history", token=seed.token(shop, "errors:read"))
    assert (change["action"], change["text"]) == ("assigned", "Assigned to ada")


def test_the_history_names_the_user_the_channel_and_the_change(server: Server, seed: Seed, shop: int) -> None:
    user = seed.user("ada")
    remote = {"REMOTE_ADDR": "198.51.100.7"}
    post(server, seed, shop, "mute", json={"events": 5}, extras=remote)
    body = urlencode({"status": "resolved", "in_release": "1.4.2"})
    server.call("POST", "/issues/SHOP-1/status", cookie=seed.session(user), headers=FORM, body=body, extras=remote)

    newest, oldest = server.get("/v1/errors/f00d/history", token=seed.token(shop, "errors:read"))

    assert {
        key: newest[key] for key in ("text", "changed_by", "changed_by_name", "changed_via", "network", "detail")
    } == {
        "text": "Resolved in 1.4.2",
        "changed_by": user,
        "changed_by_name": "Ada",
        "changed_via": "dashboard",
        "network": "198.51.100.0/24",
        "detail": {"in_release": "1.4.2"},
    }
    assert (oldest["text"], oldest["changed_via"], oldest["detail"]) == (
        "Muted until 5 events more", "api", {"events": 5}
    )  # fmt: skip
    page = server.call("GET", "/issues/SHOP-1", cookie=seed.session(user)).text
    assert "on the page, from 198.51.100.0/24" in page
    assert 'Resolved in <span class="mono"><bdi>1.4.2</bdi></span> by <b><bdi>Ada</bdi></b>' in page


FORMS = [
    ({"status": "resolved"}, ("resolved", None, 0, None, None, None)),
    ({"status": "resolved.next"}, ("resolved", "1.5.0-rc.1", 1, None, None, None)),
    ({"status": "resolved", "in_release": "1.4.2"}, ("resolved", "1.4.2", 0, None, None, None)),
    ({"status": "muted", "events": "", "until": " "}, ("muted", None, 0, None, None, None)),
    ({"status": "muted.1h"}, ("muted", None, 0, NOW_MS + HOUR_MS, None, None)),
    ({"status": "muted.1d"}, ("muted", None, 0, NOW_MS + DAY_MS, None, None)),
    ({"status": "muted.1w"}, ("muted", None, 0, NOW_MS + 7 * DAY_MS, None, None)),
    ({"status": "muted", "events": "100"}, ("muted", None, 0, None, 100, None)),
    ({"status": "muted", "per_hour": "10"}, ("muted", None, 0, None, None, 10)),
    ({"status": "muted", "until": "2027-01-16T08:00"}, ("muted", None, 0, NOW_MS + DAY_MS, None, None)),
    ({"status": "ignored", "events": "100"}, ("ignored", None, 0, None, None, None)),
]


@pytest.mark.parametrize(("fields", "expected"), FORMS)
def test_forms_take_how(
    server: Server, seed: Seed, shop: int, fields: dict[str, str], expected: tuple[Any, ...]
) -> None:
    answer = submit(server, seed.session(), "status", **fields)

    assert (answer.status_code, answer.headers["location"]) == (303, "/issues/SHOP-1")
    assert seed.rows(STATE) == [expected]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"status": "regressed"},
        {"status": "muted.2y"},
        {"status": "ignored.1d"},
        {"status": "muted", "events": "many"},
        {"status": "muted", "events": "9" * 5000},
        {"status": "muted", "until": "soon"},
        {"status": "muted", "until": "9999-12-31T23:59"},
        {"status": "muted", "until": "2020-01-01T00:00"},
        {"status": "resolved", "in_release": "x" * 300},
        {"status": "x" * 5000},
    ],
)
def test_forms_we_never_print_change_nothing(server: Server, seed: Seed, shop: int, fields: dict[str, str]) -> None:
    answer = submit(server, seed.session(), "status", **fields)

    assert answer.status_code in (400, 413)
    assert "<h1>" in answer.text
    assert seed.rows(STATE) == [UNTOUCHED]


def test_the_page_assigns_to_the_visitor_to_a_user_and_unassigns(server: Server, seed: Seed, shop: int) -> None:
    ada, grace = seed.user("ada"), seed.user("grace")
    cookie = seed.session(ada)

    def page() -> str:
        return server.call("GET", "/issues/SHOP-1", cookie=cookie).text

    assert 'value="ada" data-key="a"' in page()
    submit(server, cookie, "assign", assignee="ada")
    assert seed.rows("SELECT assignee FROM issues") == [(ada,)]
    assert 'data-key="a"' not in page()
    assert '<option value="ada" selected>Ada</option>' in page()
    submit(server, cookie, "assign", assignee="grace")
    assert seed.rows("SELECT assignee FROM issues") == [(grace,)]
    assert '<span class="hide">Assigned to </span>' in page()
    assert '<option value="grace" selected>Grace</option>' in page()
    assert "→" not in page()
    assert 'aria-label="Assigned to Grace"' in server.call("GET", "/", cookie=cookie).text
    for fields in ({"assignee": "mallory"}, {"assignee": ""}, {}):
        assert submit(server, cookie, "assign", **fields).status_code == 400
    assert seed.rows("SELECT assignee FROM issues") == [(grace,)]
    submit(server, cookie, "assign", nobody="1")

    assert seed.rows("SELECT assignee FROM issues") == [(None,)]


def test_many_are_resolved_in_the_next_release_or_muted_for_a_day(server: Server, seed: Seed, shop: int) -> None:
    seed.issue(shop, "beef")
    cookie = seed.session()

    def bulk(status: str) -> testing.Result:
        body = urlencode({"status": status, "issue": ["SHOP-1", "SHOP-2"], "back": "tab=all"}, doseq=True)
        return server.call("POST", "/issues/bulk", cookie=cookie, headers=FORM, body=body)

    assert bulk("muted.1d").status_code == 303
    assert seed.rows("SELECT status, muted_until_ms FROM issues") == [("muted", NOW_MS + DAY_MS)] * 2
    assert bulk("resolved.next").status_code == 303
    assert seed.rows("SELECT status, resolved_in_release FROM issues") == [("resolved", "1.5.0-rc.1")] * 2
    assert bulk("resolved.never").status_code == 400

    token = seed.token(shop, "errors:write")
    body = {"ids": ["SHOP-1", "beef"], "status": "muted", "per_hour": 7}
    assert server.call("POST", "/v1/errors/bulk", token=token, json=body).status_code == 200
    assert seed.rows("SELECT status, muted_per_hour FROM issues") == [("muted", 7)] * 2
    refused = server.call("POST", "/v1/errors/bulk", token=token, json=body | {"per_hour": 0})
    assert (refused.status_code, refused.json["path"]) == (400, "per_hour")


def test_a_form_that_needs_a_next_release_reports_that_there_is_none(server: Server, seed: Seed, shop: int) -> None:
    seed.issue(seed.project("api"), "beef")
    body = urlencode({"status": "resolved.next", "issue": ["API-1", "SHOP-1"], "back": ""}, doseq=True)

    answer = server.call("POST", "/issues/bulk", cookie=seed.session(), headers=FORM, body=body)

    assert answer.status_code == 409
    assert "cannot be said of a project whose events name no release" in answer.text
    assert seed.rows("SELECT DISTINCT status FROM issues") == [("unresolved",)]


def test_firing_issues_have_a_tab_a_count_and_a_search_term(server: Server, seed: Seed, shop: int) -> None:
    seed.issue(shop, "beef", status="resolved")
    seed.db.execute(
        "UPDATE issues SET status = 'resolved', resolved_at_ms = 1, resolved_in_release = '2.0' WHERE id = 1"
    )
    seed.db.execute("UPDATE issues SET is_firing = 1 WHERE id = 1")
    cookie = seed.session()

    for query in ("tab=firing", "q=is:firing", "q=is:firing&tab=muted"):
        page = server.call("GET", "/", cookie=cookie, query_string=query).text
        assert 'value="SHOP-1"' in page
        assert 'value="SHOP-2"' not in page
        assert '<span class="badge badge-bad">Still firing</span>' in page
        assert 'aria-current="page"><bdi>Still firing' in page
    assert 'Still firing</bdi> <span class="count">1</span>' in server.call("GET", "/", cookie=cookie).text
    document = server.get("/issues/SHOP-1.json", cookie=cookie)["issue"]
    assert (document["is_firing"], document["resolved_in_release"], document["assignee"]) == (True, "2.0", None)
