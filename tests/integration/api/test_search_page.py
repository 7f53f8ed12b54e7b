"""GET /search, and what pages ask while somebody types: /search/complete and /search/issues."""

from __future__ import annotations

import re
from html import unescape as html_unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.issues.events import walk
from bloop.issues.search import pages
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed


@pytest.fixture
def cookie(seed: Seed) -> str:
    return seed.session(seed.user("ada"))


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop")


@pytest.fixture
def issue(seed: Seed, shop: int) -> int:
    return seed.issue(shop, "f1", message="card declined")


def page(server: Server, cookie: str, status: int = 200, **params: str) -> str:
    answer = server.call("GET", "/search", cookie=cookie, params=params, headers={"Accept": "text/html"})
    assert answer.status_code == status, answer.text
    return answer.text


def events_of(html: str) -> list[int]:
    return [int(found) for found in re.findall(r'<th [^>]*><a href="/issues/[^"]*/events/(\d+)', html)]


def test_an_event_is_found_by_its_request_and_every_fact_searches_for_itself(
    server: Server, seed: Seed, issue: int, cookie: str
) -> None:
    seed.event(issue, request_id="other")
    wanted = seed.event(issue, request_id="req 1", user_id_hash="u1", http_status=502)

    html = page(server, cookie, q='request:"req 1"')

    assert events_of(html) == [wanted]
    hrefs = [html_unescape(href) for href in re.findall(r'href="(/search\?[^"]+)"', html)]
    searches = {text for href in hrefs for text in parse_qs(urlsplit(href).query).get("q", ())}
    base = 'request:"req 1"'
    assert searches == {base, *(f"{base} {term}" for term in ("user:u1", "http:502", "release:1.0", "env:production"))}


def test_the_page_obeys_its_scope(server: Server, seed: Seed, issue: int, cookie: str) -> None:
    new = seed.event(issue, received_at_ms=NOW_MS - HOUR_MS // 2)
    day = seed.event(issue, received_at_ms=NOW_MS - 20 * HOUR_MS, environment="staging")
    old = seed.event(issue, received_at_ms=NOW_MS - 5 * DAY_MS, release="2.0")
    other = seed.event(seed.issue(seed.project("other"), "f1"))

    assert events_of(page(server, cookie)) == [other, day, new]
    assert events_of(page(server, cookie, project="shop")) == [day, new]
    assert events_of(page(server, cookie, project="shop", t="1h")) == [new]
    assert events_of(page(server, cookie, project="shop", t="7d")) == [old, day, new]
    assert events_of(page(server, cookie, t="7d", env="staging")) == [day]
    assert events_of(page(server, cookie, t="7d", release="2.0")) == [old]
    page(server, cookie, status=404, project="nope")
    page(server, cookie, status=400, t="yesterday")


def test_pages_are_linked(server: Server, seed: Seed, issue: int, cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bloop.issues.search.views.PAGE_EVENTS", 2)
    made = [seed.event(issue) for _ in range(5)]

    seen: list[int] = []
    params: dict[str, str] = {"project": "shop", "t": "7d"}
    for _ in range(3):
        html = page(server, cookie, **params)
        seen += events_of(html)
        older = re.search(r'rel="next" href="/search\?([^"]+)"', html)
        params = {name: values[0] for name, values in parse_qs(older[1].replace("&amp;", "&")).items()} if older else {}

    assert seen == made[::-1]
    assert params == {}
    page(server, cookie, status=400, after="x")


def test_nothing_in_the_range_says_when_the_newest_match_was(
    server: Server, seed: Seed, issue: int, cookie: str
) -> None:
    wanted = seed.event(issue, received_at_ms=NOW_MS - 10 * DAY_MS, request_id="r1")

    html = page(server, cookie, q="request:r1")
    assert "No event received in the last 24 h matches this search." in html
    there = re.search(r'received <a href="([^"]+)"', html)
    assert there is not None
    params = {name: values[0] for name, values in parse_qs(urlsplit(there[1].replace("&amp;", "&")).query).items()}
    assert events_of(page(server, cookie, **params)) == [wanted]

    assert "The newest match" not in page(server, cookie, q="request:nope")


def test_a_search_that_cannot_be_read_shows_the_correction_in_the_page(
    server: Server, seed: Seed, issue: int, cookie: str
) -> None:
    html = page(server, cookie, status=400, q="reqest:r1")

    assert "Unknown filter &#39;reqest:&#39;. Did you mean request:?" in html
    assert 'aria-describedby="q-error"' in html
    assert "must be at most 500 characters" in page(server, cookie, status=400, q="x" * 600)


def test_a_search_that_stopped_says_so_and_goes_on(
    server: Server, seed: Seed, issue: int, cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "SCANNED_MAX", 3)
    needle = seed.event(issue, message="needle")
    for _ in range(4):
        seed.event(issue)

    html = page(server, cookie, q="message:needle")
    assert "Searched 3 events one by one and stopped." in html
    older = re.search(r'rel="next" href="/search\?([^"]+)"[^>]*>Search older events', html)
    assert older is not None
    params = {name: values[0] for name, values in parse_qs(older[1].replace("&amp;", "&")).items()}
    assert events_of(page(server, cookie, **params)) == [needle]


def test_a_short_id_leads_to_its_issue(server: Server, seed: Seed, issue: int, cookie: str) -> None:
    answer = server.call("GET", "/search", cookie=cookie, params={"q": "SHOP-1", "t": "7d"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/issues/SHOP-1?t=7d")


def test_a_full_page_stays_within_its_budget(server: Server, seed: Seed, issue: int, cookie: str) -> None:
    for n in range(pages.PAGE_EVENTS + 1):
        seed.event(issue, message="m" * 300, request_id=f"{n:036d}", user_id_hash="a" * 64, http_status=500)

    html = page(server, cookie, project="shop", q="http:500")

    assert len(events_of(html)) == pages.PAGE_EVENTS
    assert len(html.encode()) <= 60 * 1024


# Completion


def completed(server: Server, cookie: str, q: str, **params: Any) -> list[str]:
    answer = server.get("/search/complete", cookie=cookie, params={"q": q, **params})
    assert len(answer["options"]) <= 10
    return [q[: answer["start"]] + option["text"] + q[answer["end"] :] for option in answer["options"]]


def test_values_come_from_the_projects_of_the_scope(server: Server, seed: Seed, shop: int, cookie: str) -> None:
    other = seed.project("other")
    seed.db.execute("INSERT INTO releases VALUES (?, '2.4.1', 'production', 1, ?, ?)", (shop, NOW_MS, NOW_MS))
    seed.db.execute("INSERT INTO releases VALUES (?, '9.9', 'elsewhere', 1, ?, ?)", (other, NOW_MS, NOW_MS))
    issue = seed.issue(shop, "f1", error_type="PaymentError")
    seed.event(issue, request_id="req-1", user_id_hash="u1", http_status=502, metadata='{"plan":"pro","two words":1}')
    seed.event(seed.issue(other, "f2"), request_id="their-request")

    assert completed(server, cookie, "release:", project="shop") == ["release:2.4.1"]
    assert completed(server, cookie, "release:", project="other") == ["release:9.9"]
    assert completed(server, cookie, "env:prod", project="shop") == ["env:production"]
    assert completed(server, cookie, "project:o") == ["project:other", "project:shop"]
    assert completed(server, cookie, "assigned:a") == ["assigned:ada"]
    assert completed(server, cookie, "request:", project="shop") == ["request:req-1"]
    assert completed(server, cookie, "user:", project="shop") == ["user:u1"]
    assert completed(server, cookie, "http:50", project="shop") == ["http:502", "http:500", "http:>=500"]
    assert completed(server, cookie, "type:pay", project="shop") == ["type:PaymentError"]
    assert completed(server, cookie, "tag.", project="shop") == ["tag.plan:", 'tag."two words":']
    assert completed(server, cookie, "x tag.plan:p", project="shop") == ["x tag.plan:pro"]
    assert completed(server, cookie, "has:tag", project="shop") == ["has:tag.plan", 'has:"tag.two words"']
    assert completed(server, cookie, "rel", project="shop") == ["release:"]
    assert completed(server, cookie, "message:x") == []


def test_the_cursor_says_what_is_completed(server: Server, seed: Seed, issue: int, cookie: str) -> None:
    assert completed(server, cookie, "is:re level:fa", at=5) == [
        f"is:{status} level:fa" for status in ("regressed", "resolved", "unresolved", "ignored")
    ]
    assert completed(server, cookie, "is:re level:fa") == ["is:re level:fatal"]
    assert completed(server, cookie, "is:re level:fa", at=999) == ["is:re level:fatal"]
    bad = server.call("GET", "/search/complete", cookie=cookie, params={"q": "x", "at": "y"})
    assert (bad.status_code, bad.json["path"]) == (400, "at")


def test_odd_text_is_completed_to_nothing(server: Server, seed: Seed, issue: int, cookie: str) -> None:
    for raw in ("q=%ED%A0%80&at=1", "q=%22%22%22", "q=tag.%22%5C", "q=" + "x" * 3000, "q=request:%00"):
        answer = server.call("GET", "/search/complete", cookie=cookie, query_string=raw)
        assert answer.status_code == 200, raw


# The palette


def test_issues_are_found_by_short_id_or_words_the_last_seen_first(
    server: Server, seed: Seed, shop: int, cookie: str
) -> None:
    seed.issue(shop, "f1", message="card declined", last_seen_ms=NOW_MS - HOUR_MS)
    seed.issue(shop, "f2", message="card expired\nfor good", status="resolved")

    def found(q: str) -> list[str]:
        answer = server.get("/search/issues", cookie=cookie, params={"q": q})
        return [issue["short_id"] for issue in answer["issues"]]

    assert found("card") == ["SHOP-2", "SHOP-1"]
    assert found("shop-1") == ["SHOP-1"]
    assert found("SHOP-99") == []
    assert found("") == found("  ") == []
    assert found("is:open card") == ["SHOP-1"]
    assert found('"card') == found("nope:x") == []
    (issue,) = server.get("/search/issues", cookie=cookie, params={"q": "SHOP-2"})["issues"]
    assert issue == {
        "short_id": "SHOP-2",
        "title": "TypeError: card expired",
        "status": "resolved",
        "project": "Shop",
        "href": "/issues/SHOP-2",
    }
