"""Deleting issues through the API and the pages (bloop/issues/deletion)."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlencode

import pytest
from falcon import testing

from bloop.issues.deletion.model import AT_ONCE_MAX, COUNTED_MAX
from bloop.site.cookie import cookie_name
from tests.integration.api.conftest import RP_ORIGIN, Server
from tests.seed import Seed

FORM = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", "Origin": RP_ORIGIN}


@pytest.fixture
def shop(seed: Seed) -> int:
    project = seed.project("shop")
    for number, name in enumerate(("a", "b", "c"), 1):
        seed.issue(project, name, event_count=number, status="resolved" if name == "c" else "unresolved")
    seed.issue(seed.project("blog"), "a", event_count=50)
    return project


def left(seed: Seed) -> list[tuple[Any, ...]]:
    return seed.rows(
        "SELECT p.slug, i.fingerprint FROM issues AS i JOIN projects AS p ON p.id = i.project_id"
        " WHERE p.deleted_at_ms IS NULL ORDER BY i.id"
    )


def bulk(server: Server, token: str, body: dict[str, Any], **options: Any) -> testing.Result:
    return server.call("POST", "/v1/errors/bulk", token=token, json=body, **options)


def post(server: Server, cookie: str, path: str, **fields: Any) -> testing.Result:
    return server.call("POST", path, cookie=cookie, headers=FORM, body=urlencode(fields, doseq=True))


def test_an_issue_is_deleted_by_fingerprint_or_short_id(server: Server, seed: Seed, shop: int) -> None:
    token = seed.token(shop, "errors:read", "errors:write")

    assert server.call("DELETE", "/v1/errors/SHOP-2", token=token).json == {"deleted": 1, "events": 2}
    assert server.call("DELETE", "/v1/errors/a", token=token).json == {"deleted": 1, "events": 1}

    assert left(seed) == [("shop", "c"), ("blog", "a")]
    for reference in ("SHOP-2", "b", "nope"):
        assert server.call("DELETE", f"/v1/errors/{reference}", token=token).status_code == 404
        assert server.call("GET", f"/v1/errors/{reference}", token=token).status_code == 404
    assert [row["fingerprint"] for row in server.get("/v1/errors", token=token)] == ["c"]
    assert server.get("/v1/stats", token=token)["total_errors"] == 1
    assert seed.rows("SELECT subject, issue_count, event_count FROM issue_deletions") == [
        ("SHOP-2", 1, 2),
        ("SHOP-1", 1, 1),
    ]


def test_all_that_match_are_deleted_in_the_project_alone(server: Server, seed: Seed, shop: int) -> None:
    token = seed.token(shop, "errors:write")

    answer = bulk(server, token, {"action": "delete", "query": "is:open"})

    assert (answer.status_code, answer.json) == (200, {"deleted": 2, "events": 3})
    assert left(seed) == [("shop", "c"), ("blog", "a")]
    assert bulk(server, token, {"action": "delete", "query": "is:open"}).json == {"deleted": 0, "events": 0}
    assert bulk(server, token, {"action": "delete", "query": ""}).json == {"deleted": 1, "events": 3}
    assert left(seed) == [("blog", "a")]


def test_named_ones_are_deleted_and_unknown_ones_are_listed(server: Server, seed: Seed, shop: int) -> None:
    token = seed.token(shop, "errors:write")

    answer = bulk(server, token, {"action": "delete", "ids": ["SHOP-1", "c", "SHOP-99"]})

    assert answer.json == {"deleted": 2, "events": 4, "failed": [{"id": "SHOP-99", "error": "no issue has this id"}]}
    assert bulk(server, token, {"action": "delete", "ids": ["SHOP-1"]}).status_code == 404


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"action": "delete"}, "query"),
        ({"action": "delete", "query": None}, "query"),
        ({"action": "delete", "query": ["is:open"]}, "query"),
        ({"action": "delete", "query": "is:closed"}, "Unknown status"),
        ({"action": "delete", "query": "", "ids": ["SHOP-1"]}, "query"),
        ({"action": "delete", "ids": []}, "ids"),
        ({"action": "destroy", "query": ""}, "action"),
        ({"action": None, "query": ""}, "action"),
    ],
)
def test_what_is_unclear_deletes_nothing(
    server: Server, seed: Seed, shop: int, body: dict[str, Any], named: str
) -> None:
    answer = bulk(server, seed.token(shop, "errors:write"), body)

    assert (answer.status_code, named in answer.text) == (400, True)
    assert len(left(seed)) == 4


def test_a_search_of_a_session_names_its_project(server: Server, seed: Seed, shop: int) -> None:
    cookie, body = seed.session(), {"action": "delete", "query": "is:open"}
    options: dict[str, Any] = {"headers": {"Origin": RP_ORIGIN}, "json": body, "cookie": cookie}

    refused = server.call("POST", "/v1/errors/bulk", **options)
    assert (refused.status_code, len(left(seed))) == (400, 4)
    answer = server.call("POST", "/v1/errors/bulk", query_string="project_id=blog", **options)

    assert answer.json == {"deleted": 1, "events": 50}
    assert server.call("POST", "/v1/errors/bulk", query_string="project_id=nope", **options).status_code == 404


def test_a_long_list_is_deleted_in_the_background_and_the_list_says_so(server: Server, seed: Seed, shop: int) -> None:
    for number in range(AT_ONCE_MAX):
        seed.issue(shop, f"more-{number}")

    answer = bulk(server, seed.token(shop, "errors:write"), {"action": "delete", "query": ""})

    assert (answer.status_code, answer.json["deleted"]) == (202, AT_ONCE_MAX + 3)
    shown = server.call("GET", "/", cookie=seed.session()).text
    assert f"Deleting {AT_ONCE_MAX + 3} issues in the background" in shown


def test_the_page_asks_first_and_says_how_many(server: Server, seed: Seed, shop: int) -> None:
    cookie = seed.session()
    shown = server.call("GET", "/", cookie=cookie, query_string="project=shop").text
    assert 'href="/issues/delete?project=shop"' in shown

    asked = server.call("GET", "/issues/delete", cookie=cookie, query_string="project=shop")
    assert "<strong>2 issues</strong> with 3 events" in asked.text
    ticked = post(server, cookie, "/issues/delete", issue=["SHOP-1", "SHOP-2"], back="project=shop")
    assert (ticked.status_code, "<strong>2 issues</strong>" in ticked.text) == (200, True)
    assert len(left(seed)) == 4
    done = post(server, cookie, "/issues/delete", matching="1", back="project=shop", confirm="1")

    assert (done.status_code, done.headers["location"]) == (303, "/?project=shop")
    assert left(seed) == [("shop", "c"), ("blog", "a")]
    value = done.cookies["bloop_done"].value
    after = server.call("GET", "/", headers={"Cookie": f"{cookie_name(https=True)}={cookie}; bloop_done={value}"})
    assert "2 issues deleted." in html.unescape(after.text)


def test_ticked_issues_and_a_whole_page_are_deleted(server: Server, seed: Seed, shop: int) -> None:
    cookie = seed.session()

    post(server, cookie, "/issues/delete", issue="SHOP-1", confirm="1")
    post(server, cookie, "/issues/delete", all="1", shown="SHOP-2 SHOP-3", confirm="1")

    assert left(seed) == [("blog", "a")]
    assert post(server, cookie, "/issues/delete", confirm="1").status_code == 400
    assert left(seed) == [("blog", "a")]


def test_the_issue_page_deletes_its_issue_alone(server: Server, seed: Seed, shop: int) -> None:
    cookie = seed.session()
    assert 'action="/issues/SHOP-1/delete"' in server.call("GET", "/issues/SHOP-1", cookie=cookie).text

    done = post(server, cookie, "/issues/SHOP-1/delete")

    assert (done.status_code, done.headers["location"]) == (303, "/?project=shop")
    assert left(seed) == [("shop", "b"), ("shop", "c"), ("blog", "a")]
    assert server.call("GET", "/issues/SHOP-1", cookie=cookie).status_code == 404
    assert post(server, cookie, "/issues/SHOP-1/delete").status_code == 404


def test_a_page_counts_up_to_a_limit(server: Server, seed: Seed, shop: int) -> None:
    with seed.db:
        for number in range(COUNTED_MAX):
            seed.issue(shop, f"more-{number}", aggregates=False)

    asked = server.call("GET", "/issues/delete", cookie=seed.session(), query_string="project=shop").text

    assert "more than <strong>2,000 issues</strong>" in asked
    assert "Delete all matching</button>" in asked
