"""The HTML routes over a real database: what is read, what is linked, what a form changes, what an error looks like."""

from __future__ import annotations

import gzip
import re
from typing import Any

import falcon
import pytest
from falcon import testing

from bloop.base.clock import DAY_MS, HOUR_MS, hour_of, minute_of
from bloop.base.errors import QueryTimeout
from bloop.base.outcomes import Outcome
from bloop.db.walk import PageKey
from bloop.issues import read as issues
from bloop.issues.listing import views as pages
from bloop.issues.listing.neighbours import page_before
from bloop.issues.listing.state import PAGE_ROWS
from bloop.site import bodies
from tests.integration.api.conftest import RP_ORIGIN, Server
from tests.seed import NOW_MS, Seed, many_issues

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def page(server: Server, path: str, cookie: str, **options: Any) -> testing.Result:
    return server.call("GET", path, cookie=cookie, headers=BROWSER, **options)


def shown(result: testing.Result) -> list[str]:
    """Short ids in the order of the list."""
    assert result.status_code == 200, result.text
    return re.findall(r'name="issue" value="([^"]+)"', result.text)


def link(result: testing.Result, words: str) -> str | None:
    """Where the link that contains these words leads."""
    for href, inner in re.findall(r'<a [^>]*href="([^"]*)"[^>]*>(.*?)</a>', result.text, re.DOTALL):
        if words in inner:
            return str(href).replace("&amp;", "&")
    return None


# The list -----------------------------------------------------------------------------------------------------------


def test_the_list_spans_projects_and_narrows_to_one(server: Server, seed: Seed) -> None:
    shop, api = seed.project("shop"), seed.project("api")
    seed.issue(shop, "a", last_seen_ms=NOW_MS - 2)
    seed.issue(api, "b", last_seen_ms=NOW_MS - 1)
    cookie = seed.session()

    assert shown(page(server, "/", cookie)) == ["API-1", "SHOP-1"]
    assert shown(page(server, "/?project=shop", cookie)) == ["SHOP-1"]
    assert page(server, "/?project=nobody", cookie).status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["SHOP-1", "SHOP-2"]),
        ("tab=regressed", ["SHOP-2"]),
        ("tab=muted", ["SHOP-3"]),
        ("tab=ignored", ["SHOP-4"]),
        ("tab=resolved", ["SHOP-5"]),
        ("tab=all", ["SHOP-1", "SHOP-2", "SHOP-3", "SHOP-4", "SHOP-5"]),
        ("tab=all&sort=events", ["SHOP-5", "SHOP-4", "SHOP-3", "SHOP-2", "SHOP-1"]),
        ("tab=all&q=MUTE", ["SHOP-3"]),
        ("tab=all&route=%2Fcart", ["SHOP-4"]),
        ("tab=all&release=2.0", ["SHOP-5"]),
        ("tab=all&environment=staging", ["SHOP-5"]),
        ("tab=all&source=ios", ["SHOP-2"]),
    ],
)
def test_tabs_filters_and_orders_show_the_right_issues(
    server: Server, seed: Seed, query: str, expected: list[str]
) -> None:
    shop = seed.project("shop")
    seed.issue(shop, "a", last_seen_ms=NOW_MS - 1, event_count=1)
    seed.issue(shop, "b", last_seen_ms=NOW_MS - 2, event_count=2, status="regressed", source="ios")
    seed.issue(shop, "c", last_seen_ms=NOW_MS - 3, event_count=3, status="muted", message="muted one")
    seed.issue(shop, "d", last_seen_ms=NOW_MS - 4, event_count=4, status="ignored", route="/cart")
    done = seed.issue(shop, "e", last_seen_ms=NOW_MS - 5, event_count=5, status="resolved")
    seed.aggregate(done, release="2.0", environment="staging")

    assert shown(page(server, f"/?{query}", seed.session())) == expected


@pytest.mark.parametrize("order", ["last_seen", "first_seen", "events"])
@pytest.mark.parametrize("scope", ["project=shop&", ""])
def test_walking_down_and_up_again_passes_the_same_pages(server: Server, seed: Seed, order: str, scope: str) -> None:
    many_issues(seed, seed.project("shop"), 140)
    many_issues(seed, seed.project("api"), 60)
    cookie, path = seed.session(), f"/?{scope}tab=all&sort={order}"
    first = page(server, path, cookie)

    down, result = [shown(first)], first
    while href := link(result, "Next"):
        result = page(server, href, cookie)
        down.append(shown(result))
    up = [shown(result)]
    while href := link(result, "Previous"):
        result = page(server, href, cookie)
        up.append(shown(result))

    assert up[::-1] == down
    everything = [short_id for rows in down for short_id in rows]
    assert len(everything) == len(set(everything)) == (140 if scope else 200)
    assert {len(rows) for rows in down[:-1]} == {PAGE_ROWS}


def test_the_pager_keeps_filters_and_shows_when_an_end_is_reached(server: Server, seed: Seed) -> None:
    many_issues(seed, seed.project("shop"), 120)

    result = page(server, "/?project=shop&q=message&tab=all", seed.session())

    href = link(result, "Next")
    assert href is not None
    assert {"project=shop", "q=message", "tab=all"} < set(href.removeprefix("/?").split("&"))
    assert link(result, "Previous") is None


def test_a_search_for_a_short_id_goes_to_the_issue(server: Server, seed: Seed) -> None:
    shop, api = seed.project("shop"), seed.project("api")
    seed.issue(shop, "a")
    seed.issue(api, "b")
    cookie = seed.session()

    found = page(server, "/?q=shop-1", cookie)

    assert (found.status_code, found.headers["location"]) == (303, "/issues/SHOP-1")
    assert shown(page(server, "/?q=SHOP-99", cookie)) == []
    assert shown(page(server, "/?project=api&q=SHOP-1", cookie)) == []  # not in the project that is looked at


def test_the_numbers_on_top_are_those_of_the_scope(server: Server, seed: Seed) -> None:
    shop = seed.project("shop")
    issue = seed.issue(shop, "a")
    seed.issue(shop, "b", status="resolved", first_seen_ms=NOW_MS - 9 * DAY_MS)
    for hours_ago, count in ((0, 900), (30, 600), (70, 50)):
        seed.hour(issue, hour_of(NOW_MS) - hours_ago * HOUR_MS, count)
    seed.ledger(shop, Outcome.RING_FULL, minute_of(NOW_MS), 12)
    seed.ledger(shop, Outcome.BAD_SIGNATURE, minute_of(NOW_MS), 400)
    cookie = seed.session()

    def numbers(query: str) -> list[str]:
        text = page(server, f"/?{query}", cookie).text
        found = re.findall(r"<dt>([^<]+)</dt><dd>([^<]+?)(?: <span[^>]*>([^<]+)</span>)?</dd>", text)
        return [" ".join(filter(None, number)) for number in found]

    assert numbers("") == ["Events 900 ▲ 50%", "New issues 1", "Not stored 12"]
    assert numbers("env=production") == ["Events 900 ▲ 50%", "New issues 1", "Not stored, in all environments 12"]
    assert numbers("env=staging") == [
        "Events 0",
        "Users affected 0",
        "New issues 0",
        "Not stored, in all environments 12",
    ]
    assert numbers("t=7d") == ["Events 1,550", "New issues 1"]


def test_rows_show_the_events_of_the_range(server: Server, seed: Seed) -> None:
    issue = seed.issue(seed.project("shop"), "a", event_count=2000)
    for hours_ago in (0, 23, 25):
        seed.hour(issue, hour_of(NOW_MS) - hours_ago * HOUR_MS, 700)
    cookie = seed.session()

    day, week = (page(server, f"/?t={t}", cookie).text for t in ("24h", "7d"))

    assert '<b class="num">1,400</b>' in day
    assert "1,400 in all, peak 700" in day
    assert '<b class="num">2,100</b>' in week
    assert "/issues/SHOP-1?t=7d" in week


def test_an_empty_project_explains_how_to_send_and_never_shows_its_key(server: Server, seed: Seed) -> None:
    seed.project("shop", api_key="bloop_" + "ab" * 32)

    text = page(server, "/", seed.session()).text

    assert "Waiting for the first event" in text
    assert f"{RP_ORIGIN}/v1/ingest" in text
    assert "bloop project rotate-key shop" in text
    assert "abab" not in text


def test_a_bloop_without_any_project_has_a_page_too(server: Server, seed: Seed) -> None:
    assert "bloop project create" in page(server, "/", seed.session()).text


def test_an_invalid_page_key_is_a_bad_request(server: Server, seed: Seed) -> None:
    result = page(server, "/?before=nonsense", seed.session())

    assert result.status_code == 400
    assert "must be a place that a page has linked to" in result.text


# One issue ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def issue(seed: Seed) -> int:
    return seed.issue(seed.project("shop"), "c6be5b205cdb4fae", event_count=3)


def test_an_issue_opens_with_its_newest_event_and_walks_to_the_oldest(server: Server, seed: Seed, issue: int) -> None:
    ids = [seed.event(issue, timestamp_ms=NOW_MS - 3000 + n, message=f"event {n}") for n in range(3)]
    cookie = seed.session()

    newest = page(server, "/issues/SHOP-1", cookie)
    middle = page(server, link(newest, "Older") or "", cookie)
    oldest = page(server, link(middle, "First event") or "", cookie)

    assert "event 2" in newest.text
    assert "3 of 3" in newest.text
    assert (link(newest, "Newer"), link(newest, "Latest event")) == (None, None)
    assert "event 1" in middle.text
    assert link(middle, "Newer") == f"/issues/SHOP-1/events/{ids[2]}"
    assert link(middle, "Latest event") == "/issues/SHOP-1"
    assert "1 of 3" in oldest.text
    assert (link(oldest, "Older"), link(oldest, "First event")) == (None, None)


def test_an_issue_answers_to_its_fingerprint_and_short_id_in_any_case(server: Server, seed: Seed, issue: int) -> None:
    cookie = seed.session()

    for ref in ("SHOP-1", "shop-1", "c6be5b205cdb4fae"):
        assert page(server, f"/issues/{ref}", cookie).status_code == 200
    assert page(server, "/issues/SHOP-2", cookie).status_code == 404


def test_an_event_of_another_issue_is_not_shown(server: Server, seed: Seed, issue: int) -> None:
    other = seed.event(seed.issue(seed.project("api"), "other"), message="secret of another project")

    result = page(server, f"/issues/SHOP-1/events/{other}", seed.session())

    assert result.status_code == 404
    assert "secret" not in result.text


def test_an_issue_whose_events_were_pruned_keeps_its_numbers(server: Server, seed: Seed, issue: int) -> None:
    text = page(server, "/issues/SHOP-1", seed.session()).text

    assert "Events have expired" in text
    assert "<dt>Events</dt><dd>3</dd>" in text.partition("All time")[2]


def test_a_stack_is_shown_as_frames_with_the_raw_text_beside_it(server: Server, seed: Seed, issue: int) -> None:
    stack = "TypeError: x\n    at total (/srv/cart.js:1:2)\n    at render (/srv/node_modules/react.js:3:4)"
    seed.event(issue, stack=stack, metadata='{"browser":"Firefox","cart":{"items":3}}')

    text = page(server, "/issues/SHOP-1", seed.session()).text

    assert '<div class="frame frame-flat"><b><bdi>total</bdi></b><span class="where"><bdi>/srv/cart.js:1:2' in text
    assert "1 library frame<" in text
    assert stack.replace("'", "&#39;") in text
    assert '<dt class="clip"><bdi>browser</bdi></dt>' in text
    assert "{&#34;items&#34;:3}" in text


# Changing its status ------------------------------------------------------------------------------------------------


def post_status(server: Server, cookie: str, status: str, **headers: str) -> testing.Result:
    sent = BROWSER | {"Content-Type": "application/x-www-form-urlencoded", "Origin": RP_ORIGIN} | headers
    return server.call("POST", "/issues/SHOP-1/status", cookie=cookie, headers=sent, body=f"status={status}")


def test_a_status_button_changes_the_issue_and_leads_back_to_it(server: Server, seed: Seed, issue: int) -> None:
    cookie = seed.session(seed.user("ada"))

    answer = post_status(server, cookie, "resolved")

    assert (answer.status_code, answer.headers["location"]) == (303, "/issues/SHOP-1")
    text = page(server, "/issues/SHOP-1", cookie).text
    assert ">Resolved</span>" in text
    assert "Resolved by <b><bdi>Ada</bdi></b>" in text
    assert 'value="unresolved"' in text


@pytest.mark.parametrize("status", ["", "regressed", "deleted"])
def test_only_a_status_a_person_can_set_is_taken(server: Server, seed: Seed, issue: int, status: str) -> None:
    answer = post_status(server, seed.session(), status)

    assert answer.status_code == 400
    assert seed.value("SELECT status FROM issues") == "unresolved"
    assert seed.rows("SELECT * FROM status_changes") == []


def test_a_form_of_another_site_changes_nothing(server: Server, seed: Seed, issue: int) -> None:
    answer = post_status(server, seed.session(), "resolved", Origin="https://evil.example")

    assert answer.status_code == 403
    assert seed.value("SELECT status FROM issues") == "unresolved"


def test_a_form_longer_than_any_we_print_is_refused(server: Server, seed: Seed, issue: int) -> None:
    answer = post_status(server, seed.session(), "resolved&x=" + "y" * bodies.FORM_BYTES_MAX)

    assert answer.status_code == 413


# Errors, assets, wire -----------------------------------------------------------------------------------------------


def test_browsers_get_a_page_for_an_error_and_programs_get_json(server: Server, seed: Seed) -> None:
    cookie = seed.session()

    seen = page(server, "/issues/NOPE-1", cookie)
    program = server.call("GET", "/issues/NOPE-1", cookie=cookie)
    api = server.call("GET", "/v1/errors/nope", cookie=cookie, headers=BROWSER)

    assert (seen.status_code, seen.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Not found</h1>" in seen.text
    assert program.json == {"error": "no issue has this id"}
    assert "error" in api.json


def test_trouble_of_ours_is_a_page_that_tells_nothing(
    server: Server, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = seed.session()

    def break_it(*_: object, **__: object) -> None:
        raise RuntimeError("the secret inner state")

    monkeypatch.setattr(pages, "read_list", break_it)
    broken = page(server, "/", cookie)

    assert broken.status_code == 500
    assert "<h1>Internal error</h1>" in broken.text
    assert "secret" not in broken.text


def test_a_query_that_takes_too_long_gets_a_page_with_the_reason(
    server: Server, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = seed.session()

    def too_slow(*_: object, **__: object) -> None:
        raise QueryTimeout("the query ran longer than 5000 ms")

    monkeypatch.setattr(pages, "read_list", too_slow)
    slow = page(server, "/", cookie)

    assert slow.status_code == 503
    assert "the query ran longer than 5000 ms" in slow.text


def test_without_a_session_a_page_leads_to_the_sign_in_page(server: Server) -> None:
    answer = server.call("GET", "/", headers=BROWSER)

    assert (answer.status, answer.headers["location"]) == (falcon.HTTP_303, "/auth/login")
    assert "<h1>Sign in</h1>" in server.call("GET", "/auth/login", headers=BROWSER).text


def test_assets_are_found_under_their_hashed_name_and_kept_for_good(server: Server) -> None:
    login = server.call("GET", "/auth/login", headers=BROWSER).text
    found = re.findall(r'"(/assets/[^"]+)"', login)

    assert len(found) == 6
    for path in found:
        plain = server.call("GET", path)
        packed = server.call("GET", path, headers={"Accept-Encoding": "br, gzip"})
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert "content-encoding" not in plain.headers
        if "content-encoding" in packed.headers:
            assert gzip.decompress(packed.content) == plain.content
    assert server.call("GET", "/assets/kit.css").status_code == 404
    assert server.call("GET", "/assets/..%2f..%2fbloop%2ferrors.py").status_code == 404


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip", True), ("br;q=1, gzip;q=0.5", True), ("gzip;q=0", False), ("", False)]
)
def test_pages_are_packed_for_clients_that_take_it(server: Server, seed: Seed, accepted: str, packed: bool) -> None:
    seed.issue(seed.project("shop"), "a")
    cookie = seed.session()

    answer = server.call("GET", "/", cookie=cookie, headers=BROWSER | {"Accept-Encoding": accepted})

    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert "Accept-Encoding" in answer.headers["vary"]
    body = gzip.decompress(answer.content) if packed else answer.content
    assert body.startswith(b"<!doctype html>")


def test_pages_carry_a_policy_that_forbids_inline_code(server: Server, seed: Seed) -> None:
    policy = page(server, "/", seed.session()).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_full_list_stays_small(server: Server, seed: Seed) -> None:
    project = seed.project("shop")
    many_issues(seed, project, 120)
    for issue_id in range(1, 121):
        for hours_ago in range(24):
            seed.hour(issue_id, hour_of(NOW_MS) - hours_ago * HOUR_MS, 3)

    answer = server.call("GET", "/", cookie=seed.session(), headers=BROWSER | {"Accept-Encoding": "gzip"})

    assert len(answer.content) < 15_000
    assert len(gzip.decompress(answer.content)) < 60_000


def test_the_page_above_begins_where_a_walk_down_would_have_found_it(seed: Seed) -> None:
    """Ties included: many issues share their sort value, and the key is (value, status, id)."""
    project = seed.project("shop")
    for n in range(30):
        seed.issue(project, f"{n:02}", event_count=n // 10, status="resolved" if n % 3 else "unresolved")
    wanted, sort = issues.IssueFilter(), issues.Sort.EVENTS
    order = issues.list_issues(seed.db, [project], wanted, sort=sort, limit=30).rows
    places = [PageKey(row.event_count, row.status, row.id) for row in order]

    for position in range(1, 30):
        found = page_before(seed.db, [project], wanted, sort=sort, first=places[position], limit=7)
        assert found == (places[position - 8] if position >= 8 else None)
