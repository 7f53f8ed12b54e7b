"""Undo by API and by the form of a page, what the next page says, and changes of all that a list holds."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from falcon import testing

from bloop.base.clock import DAY_MS, hour_of
from bloop.base.errors import DatabaseBusy
from bloop.issues.status import bulk
from tests.integration.api.conftest import RP_ORIGIN, Server
from tests.seed import NOW_MS, Seed, many_issues

FORM = {
    "Accept": "text/html",
    "Content-Type": "application/x-www-form-urlencoded",
    "Origin": RP_ORIGIN,
    "Host": "errors.example.com",
}


@pytest.fixture
def shop(seed: Seed) -> int:
    project = seed.project("shop")
    for number, name in enumerate("abc"):
        seed.issue(project, name, last_seen_ms=NOW_MS - number)
    return project


def post_form(server: Server, path: str, cookie: str, referer: str = "/", **fields: Any) -> testing.Result:
    headers = FORM | {"Referer": f"https://errors.example.com{referer}"}
    return server.call("POST", path, cookie=cookie, headers=headers, body=urlencode(fields, doseq=True))


def follow(server: Server, cookie: str, answer: testing.Result) -> testing.Result:
    """The page that a form leads to, with the cookie it left."""
    path, _, query = answer.headers["location"].partition("?")
    left = f"__Host-bloop_session={cookie}; bloop_done={answer.cookies['bloop_done'].value}"
    return server.call("GET", path, headers={"Cookie": left}, query_string=query)


def toast(page: testing.Result) -> str:
    found = re.search(r"data-toast>.*?<span><bdi>(.*?)</bdi></span>", page.text)
    return html.unescape(found[1]) if found else ""


def statuses(seed: Seed) -> list[str]:
    return [status for (status,) in seed.rows("SELECT status FROM issues ORDER BY id")]


# API ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("a/resolve", None),
        ("a/mute", {"events": 5}),
        ("a/ignore", None),
        ("a/unresolve", None),
        ("a/assign", {"assignee": "ada"}),
        ("bulk", {"ids": ["a", "b"], "status": "resolved"}),
        ("bulk", {"ids": ["a", "b"], "assignee": "ada"}),
        ("bulk", {"all_matching": {"tab": "all"}, "status": "muted", "for_secs": 60}),
        ("bulk", {"all_matching": {}, "assignee": "ada"}),
    ],
)
def test_every_change_answers_what_undoes_it(server: Server, seed: Seed, shop: int, path: str, body: Any) -> None:
    seed.user("ada")
    seed.user("bob")
    seed.db.execute("UPDATE issues SET status = 'muted', muted_events = 3 WHERE id = 1")
    state = "SELECT status, resolved_at_ms, muted_events, muted_until_ms, assignee FROM issues ORDER BY id"
    token, before = seed.token(shop, "errors:write"), seed.rows(state)

    changed = server.call("POST", f"/v1/errors/{path}", token=token, json=body or {})
    undone = server.call("POST", f"/v1/undo/{changed.json['undo_id']}", token=token)

    assert undone.status_code == 200
    assert (undone.json["undone"] > 0, undone.json["skipped"], undone.json["skipped_count"]) == (True, [], 0)
    assert seed.rows(state) == before
    assert server.call("POST", f"/v1/undo/{undone.json['undo_id']}", token=token).json["undone"]
    assert seed.rows(state) != before or path == "a/unresolve"


def test_what_changed_since_is_named_and_a_second_undo_is_a_conflict(server: Server, seed: Seed, shop: int) -> None:
    token = seed.token(shop, "errors:write", "errors:read")
    body = {"ids": ["a", "b"], "status": "resolved"}
    undo_id = server.call("POST", "/v1/errors/bulk", token=token, json=body).json["undo_id"]
    server.call("POST", "/v1/errors/b/ignore", token=token)

    first = server.call("POST", f"/v1/undo/{undo_id}", token=token)
    second = server.call("POST", f"/v1/undo/{undo_id}", token=token)

    assert first.json["skipped"] == [{"id": "SHOP-2", "error": "changed since"}]
    assert statuses(seed) == ["unresolved", "ignored", "unresolved"]
    assert second.status_code == 409
    assert second.json["error"].startswith("nothing was undone: 2 issues were skipped: SHOP-1 changed since")
    history = server.get("/v1/errors/a/history", token=token)
    assert [(entry["text"], entry["action"]) for entry in history] == [
        ("Undid: resolved by ci", "undone"),
        ("Resolved", "status"),
    ]
    assert history[0]["undo_id"] == first.json["undo_id"]


def test_a_token_of_another_project_undoes_nothing(server: Server, seed: Seed, shop: int) -> None:
    undo_id = server.call("POST", "/v1/errors/a/resolve", token=seed.token(shop, "errors:write")).json["undo_id"]
    other = seed.token(seed.project("blog"), "errors:write")

    answer = server.call("POST", f"/v1/undo/{undo_id}", token=other)

    assert (answer.status_code, answer.json["error"]) == (404, "this change can no longer be undone")
    assert statuses(seed)[0] == "resolved"


def test_whoever_may_change_a_project_undoes_what_others_did(server: Server, seed: Seed, shop: int) -> None:
    undo_id = server.call("POST", "/v1/errors/a/resolve", token=seed.token(shop, "errors:write")).json["undo_id"]

    answer = server.call("POST", f"/v1/undo/{undo_id}", cookie=seed.session(seed.user("ada")))

    assert answer.json["undone"] == 1


# All that a list holds ------------------------------------------------------------------------------------------------


def test_all_matching_changes_what_the_list_shows_and_nothing_else(server: Server, seed: Seed, shop: int) -> None:
    other = seed.issue(seed.project("blog"), "message of a")
    seed.db.execute("UPDATE issues SET status = 'ignored' WHERE id = 2")
    cookie = seed.session()

    def change(query: str, **listed: str) -> Any:
        body = {"all_matching": listed, "status": "resolved"}
        return server.call("POST", "/v1/errors/bulk", cookie=cookie, json=body, query_string=query).json

    assert change("project_id=shop", q="nothing of the kind") == {
        "status": "resolved",
        "updated_count": 0,
        "is_more": False,
        "undo_id": None,
    }
    assert change("project_id=shop")["updated_count"] == 2
    assert statuses(seed) == ["resolved", "ignored", "resolved", "unresolved"]
    assert change("", tab="all", q="is:unresolved")["updated_count"] == 1
    assert seed.value("SELECT status FROM issues WHERE id = ?", other) == "resolved"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"all_matching": True, "status": "resolved"}, "all_matching"),
        ({"all_matching": {"before": "1.a.1"}, "status": "resolved"}, "all_matching.before"),
        ({"all_matching": {"q": 5}, "status": "resolved"}, "all_matching.q"),
        ({"all_matching": {"tab": "none"}, "status": "resolved"}, "all_matching.tab"),
        ({"all_matching": {"q": "is:x"}, "status": "resolved"}, "all_matching.q"),
        ({"all_matching": {}, "ids": ["a"], "status": "resolved"}, "all_matching"),
        ({"all_matching": {}, "status": "resolved", "assignee": "ada"}, "assignee"),
        ({"all_matching": {}, "assignee": "nemo"}, "assignee"),
        ({"all_matching": {}, "assignee": 5}, "assignee"),
        ({"all_matching": {}}, "status"),
        ({"all_matching": {}, "action": "delete"}, "all_matching"),
        ({"all_matching": {}, "status": "resolved", "in_next_release": True}, "in_next_release"),
    ],
)
def test_a_bulk_change_that_is_wrong_names_the_field(
    server: Server, seed: Seed, shop: int, body: dict[str, Any], path: str
) -> None:
    seed.db.execute("DELETE FROM releases")

    answer = server.call("POST", "/v1/errors/bulk", cookie=seed.session(), json=body)

    assert (answer.status_code, answer.json["path"]) == (400, path), answer.text
    assert set(statuses(seed)) == {"unresolved"}


def test_more_than_the_most_is_said_and_the_rest_can_be_changed_next(
    server: Server, seed: Seed, shop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MATCHING_MAX", 2)
    cookie = seed.session()

    first = post_form(server, "/issues/bulk", cookie, all_matching="1", back="project=shop", status="resolved")
    second = post_form(server, "/issues/bulk", cookie, all_matching="1", back="project=shop", status="resolved")

    assert toast(follow(server, cookie, first)) == "2 issues resolved. More match: do the same again."
    assert toast(follow(server, cookie, second)) == "1 issue resolved."


def test_a_bulk_change_that_stops_halfway_says_how_far_it_got(
    server: Server, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_issues(seed, seed.project("shop"), 500)
    token, change, calls = seed.token(1, "errors:write"), server.database.change, []

    def busy_later(action: Any, **options: Any) -> Any:
        calls.append(action)
        if len(calls) == 3:
            raise DatabaseBusy("the database is busy; try again")
        return change(action, **options)

    monkeypatch.setattr(server.database, "change", busy_later)
    body = {"all_matching": {"tab": "all"}, "status": "ignored"}
    answer = server.call("POST", "/v1/errors/bulk", token=token, json=body)
    calls.clear()
    monkeypatch.setattr(server.database, "change", change)

    assert answer.status_code == 503
    assert (answer.json["error"], answer.json["is_more"]) == ("the database is busy; try again", True)
    assert answer.json["updated_count"] == statuses(seed).count("ignored") > 0
    undone = server.call("POST", f"/v1/undo/{answer.json['undo_id']}", token=token)
    assert undone.json["undone"] == answer.json["updated_count"]
    assert "ignored" not in statuses(seed)


# Pages ----------------------------------------------------------------------------------------------------------------


def test_a_form_says_what_it_did_and_undo_leads_back_to_the_page(server: Server, seed: Seed, shop: int) -> None:
    cookie = seed.session(seed.user("ada"))

    resolved = post_form(server, "/issues/SHOP-2/status", cookie, status="resolved")
    page = follow(server, cookie, resolved)
    undo_path = re.findall(r'action="(/undo/[^"]+)"', page.text)[0]
    undone = post_form(server, undo_path, cookie, referer="/issues/SHOP-2")
    after = follow(server, cookie, undone)

    assert resolved.headers["location"] == "/issues/SHOP-2"
    assert toast(page) == "SHOP-2 resolved."
    assert undone.headers["location"] == "/issues/SHOP-2"
    assert toast(after) == "Undone: SHOP-2 put back."
    assert ">Redo</button>" in after.text
    assert statuses(seed) == ["unresolved"] * 3


def test_after_an_action_the_next_issue_of_the_list_is_offered(server: Server, seed: Seed, shop: int) -> None:
    cookie, listed = seed.session(), "project=shop"

    done = post_form(server, "/issues/SHOP-2/status", cookie, status="resolved", list=listed)
    page = follow(server, cookie, done)
    last = follow(server, cookie, post_form(server, "/issues/SHOP-3/status", cookie, status="muted", list=listed))
    gone = follow(server, cookie, post_form(server, "/issues/SHOP-3/status", cookie, status="muted", list="tab=x"))

    assert done.headers["location"] == "/issues/SHOP-2?project=shop&list=project%3Dshop"
    assert 'href="/issues/SHOP-3?list=project%3Dshop"' in page.text
    assert "Next issue" not in last.text
    assert "Next issue" not in gone.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"assign": "me"}, "SHOP-1 assigned."),
        ({"assign": "to", "assignee": "bob"}, "SHOP-1 assigned."),
        ({"assign": "nobody"}, "SHOP-1 unassigned."),
        ({"status": "muted.1h"}, "SHOP-1 muted."),
    ],
)
def test_ticked_rows_are_assigned_too(
    server: Server, seed: Seed, shop: int, fields: dict[str, str], words: str
) -> None:
    cookie = seed.session(seed.user("ada"))
    seed.user("bob")

    answer = post_form(server, "/issues/bulk", cookie, issue="SHOP-1", back="project=shop", **fields)

    assert toast(follow(server, cookie, answer)) == words
    name = {"me": "ada", "to": "bob"}.get(fields.get("assign", ""))
    assert seed.rows("SELECT u.username FROM issues i LEFT JOIN webauthn_users u ON u.id = i.assignee LIMIT 1") == [
        (name,)
    ]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"assign": "me"}, 400),
        ({"assign": "you"}, 400),
        ({"assign": "to"}, 400),
        ({"assign": "to", "assignee": "x"}, 409),
    ],
)
def test_an_assignment_that_names_no_account_changes_nothing(
    server: Server, seed: Seed, shop: int, fields: dict[str, str], status: int
) -> None:
    answer = post_form(server, "/issues/bulk", seed.session(), issue="SHOP-1", **fields)

    assert answer.status_code == status
    assert seed.rows("SELECT * FROM status_changes") == []


def test_undo_on_a_page_that_was_open_too_long_says_so(server: Server, seed: Seed, shop: int) -> None:
    cookie = seed.session()
    undo_id = server.call("POST", "/v1/errors/a/resolve", cookie=cookie).json["undo_id"]
    server.call("POST", "/v1/errors/a/mute", cookie=cookie)

    changed = follow(server, cookie, post_form(server, f"/undo/{undo_id}", cookie, referer="/?tab=all"))
    seed.db.execute("DELETE FROM undo_parts")
    gone = follow(server, cookie, post_form(server, f"/undo/{undo_id}", cookie))

    assert toast(changed) == "Nothing was undone: SHOP-1 has changed since."
    assert toast(gone) == "This change can no longer be undone."
    assert "/undo/" not in gone.text
    assert statuses(seed)[0] == "muted"


def test_a_form_of_another_site_undoes_nothing(server: Server, seed: Seed, shop: int) -> None:
    cookie = seed.session()
    undo_id = server.call("POST", "/v1/errors/a/resolve", cookie=cookie).json["undo_id"]

    headers = FORM | {"Origin": "https://evil.example"}
    answer = server.call("POST", f"/undo/{undo_id}", cookie=cookie, headers=headers, body="")

    assert answer.status_code == 403
    assert statuses(seed)[0] == "resolved"


def test_all_matching_on_the_page_obeys_its_list(server: Server, seed: Seed, shop: int) -> None:
    cookie = seed.session()
    post_form(server, "/issues/bulk", cookie, issue="SHOP-2", status="ignored")

    none = post_form(server, "/issues/bulk", cookie, all_matching="1", back="tab=muted", status="resolved")
    wrong = post_form(server, "/issues/bulk", cookie, all_matching="1", back="q=is%3Ax", status="resolved")
    done = post_form(server, "/issues/bulk", cookie, all_matching="1", back="project=shop&before=1.a.1", status="muted")

    assert (none.status_code, "Nothing was changed: no issue matches." in none.text) == (409, True)
    assert wrong.status_code == 409
    assert done.headers["location"] == "/?project=shop"
    assert statuses(seed) == ["muted", "ignored", "muted"]


def test_all_matching_obeys_the_scope_and_reads_single_events(server: Server, seed: Seed, shop: int) -> None:
    token = seed.token(shop, "errors:write")
    seed.db.execute("UPDATE issues SET status = 'resolved'")
    old = seed.issue(shop, "old", last_seen_ms=NOW_MS - 3 * DAY_MS, first_seen_ms=NOW_MS - 3 * DAY_MS)
    seed.hour(old, hour_of(NOW_MS - 3 * DAY_MS), 1)
    new = seed.issue(shop, "new")
    seed.event(new, request_id="req-1")

    def change(status: str, **listed: str) -> list[int]:
        body = {"all_matching": listed, "status": status}
        answer = server.call("POST", "/v1/errors/bulk", token=token, json=body)
        assert answer.status_code == 200, answer.text
        changed = seed.rows("SELECT id FROM issues WHERE status = ? ORDER BY id", status)
        assert answer.json["updated_count"] == len(changed)
        server.call("POST", f"/v1/undo/{answer.json['undo_id']}", token=token)
        return [issue_id for (issue_id,) in changed]

    assert change("muted") == [new]  # of the last 24 hours, as the page shows it
    assert change("muted", t="7d") == [old, new]
    assert change("muted", t="7d", env="staging") == []
    assert change("muted", t="7d", q="request:req-1") == [new]
    assert change("muted", t="7d", q="request:req-2") == []
