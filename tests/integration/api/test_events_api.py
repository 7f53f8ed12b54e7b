"""GET /v1/events, and what /v1/errors answers to terms about single events."""

from __future__ import annotations

import pytest

from bloop.base.clock import HOUR_MS
from bloop.issues.events import walk
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop")


@pytest.fixture
def token(seed: Seed, shop: int) -> str:
    return seed.token(shop, "errors:read")


def found(server: Server, token: str, **params: str | int) -> list[int]:
    return [event["id"] for event in server.get("/v1/events", token=token, params=params)["events"]]


def test_an_event_is_found_by_its_request_with_what_names_its_issue(
    server: Server, seed: Seed, shop: int, token: str
) -> None:
    issue = seed.issue(shop, "f00d")
    seed.event(issue)
    event_id = seed.event(issue, request_id="req-1", user_id_hash="u1", http_status=502, level="fatal", event_id="e1")

    answer = server.get("/v1/events", token=token, params={"q": "request:req-1"})

    assert (answer["next"], answer["complete"], answer["scanned"]) == (None, True, 2)
    (event,) = answer["events"]
    assert event == event | {
        "id": event_id,
        "short_id": "SHOP-1",
        "fingerprint": "f00d",
        "project": "shop",
        "project_id": "id-of-shop",
        "request_id": "req-1",
        "event_id": "e1",
        "user_id_hash": "u1",
        "http_status": 502,
        "level": "fatal",
        "error_type": "TypeError",
        "message": "message of f00d",
        "timestamp": NOW_MS,
        "received_at": NOW_MS,
        "release": "1.0",
        "environment": "production",
    }


def test_pages_follow_next(server: Server, seed: Seed, shop: int, token: str) -> None:
    issue = seed.issue(shop, "f1")
    made = [seed.event(issue, http_status=500) for _ in range(5)]

    first = server.get("/v1/events", token=token, params={"q": "http:500", "limit": 2})
    second = server.get("/v1/events", token=token, params={"q": "http:500", "limit": 2, "after": first["next"]})
    last = server.get("/v1/events", token=token, params={"q": "http:500", "limit": 2, "after": second["next"]})

    shown = [event["id"] for page in (first, second, last) for event in page["events"]]
    assert shown == made[::-1]
    assert last["next"] is None


def test_a_token_finds_events_of_its_project_alone(server: Server, seed: Seed, shop: int, token: str) -> None:
    other = seed.project("other")
    theirs, mine = (
        seed.event(seed.issue(other, "f1"), request_id="r"),
        seed.event(seed.issue(shop, "f2"), request_id="r"),
    )

    assert found(server, token, q="request:r") == [mine]
    assert found(server, token, q="request:r", project_id="other") == [mine]
    assert found(server, token, q="request:r project:other") == []
    cookie = seed.session(seed.user("ada"))
    everything = server.get("/v1/events", cookie=cookie, params={"q": "request:r"})["events"]
    assert [event["id"] for event in everything] == [mine, theirs]
    assert server.call("GET", "/v1/events", cookie=cookie, params={"project_id": "nope"}).status_code == 404


def test_parameters_narrow_the_search(server: Server, seed: Seed, shop: int, token: str) -> None:
    issue = seed.issue(shop, "f1")
    old = seed.event(issue, received_at_ms=NOW_MS - 5 * HOUR_MS, environment="staging", release="2.0")
    new = seed.event(issue, received_at_ms=NOW_MS)

    assert found(server, token) == [new, old]
    assert found(server, token, environment="staging") == [old]
    assert found(server, token, release="1.0") == [new]
    assert found(server, token, since=NOW_MS - HOUR_MS) == [new]
    assert found(server, token, until=(NOW_MS - HOUR_MS) // 1000) == [old]
    assert found(server, token, since=NOW_MS - 5 * HOUR_MS, until=NOW_MS) == [new, old]
    assert found(server, token, limit=1) == [new]


@pytest.mark.parametrize(
    ("params", "path", "error"),
    [
        ({"q": "reqest:x"}, "q", "q: Unknown filter 'reqest:'. Did you mean request:? "),
        ({"q": "http:5xx"}, "q", "q: '5xx' is not a number or a range."),
        ({"q": "is:closed"}, "q", "q: Unknown status 'closed'."),
        ({"q": "x" * 501}, "q", "q: must be at most 500 characters"),
        ({"after": "x"}, "after", "after: is not a cursor of this list; start again without it"),
        ({"after": "9" * 400}, "after", "after: is not a cursor of this list"),
        ({"after": "-1"}, "after", "after: is not a cursor of this list"),
        ({"limit": "many"}, "limit", "limit: must be a whole number"),
        ({"since": "now"}, "since", "since: must be a whole number"),
    ],
)
def test_a_search_that_cannot_be_read_is_refused(
    server: Server, token: str, params: dict[str, str], path: str, error: str
) -> None:
    answer = server.call("GET", "/v1/events", token=token, params=params)

    assert answer.status_code == 400
    assert answer.json["path"] == path
    assert answer.json["error"].startswith(error)


def test_a_search_that_stops_says_so(
    server: Server, seed: Seed, shop: int, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "SCANNED_MAX", 4)
    issue = seed.issue(shop, "f1")
    needle = seed.event(issue, message="needle")
    for _ in range(6):
        seed.event(issue)

    stopped = server.get("/v1/events", token=token, params={"q": "message:needle"})
    rest = server.get("/v1/events", token=token, params={"q": "message:needle", "after": stopped["next"]})

    assert (stopped["events"], stopped["complete"], stopped["scanned"]) == ([], False, 4)
    assert ([event["id"] for event in rest["events"]], rest["complete"], rest["next"]) == ([needle], True, None)


def test_odd_text_finds_nothing_and_breaks_nothing(server: Server, seed: Seed, shop: int, token: str) -> None:
    seed.event(seed.issue(shop, "f1"), metadata='{"odd":"\ufffd"}')

    for raw in ("q=request:%ED%A0%80", "q=%00%01", "q=tag.%22%22:x", "q=request:%FF", "q=-", "q=request:%F0%9F%98%80"):
        answer = server.call("GET", "/v1/events", token=token, query_string=raw)
        assert answer.status_code in (200, 400), raw
    assert found(server, token, q="tag.odd:\ufffd") != []


def test_errors_with_a_matching_event_are_listed(
    server: Server, seed: Seed, shop: int, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = seed.issue(shop, "f1"), seed.issue(shop, "f2", status="resolved")
    for issue in (one, other):
        seed.event(issue, http_status=500, environment="production")
    seed.event(other, http_status=404)

    def listed(**params: str) -> list[str]:
        answer = server.call("GET", "/v1/errors", token=token, params=params)
        assert answer.status_code == 200
        return [row["short_id"] for row in answer.json]

    assert sorted(listed(query="http:500")) == ["SHOP-1", "SHOP-2"]
    assert listed(query="http:404") == ["SHOP-2"]
    assert listed(query="http:500 is:open") == ["SHOP-1"]
    assert listed(query="http:404", environment="staging") == []
    assert sorted(listed(query="http:500 env:production")) == ["SHOP-1", "SHOP-2"]

    assert "Search-Complete" not in server.call("GET", "/v1/errors", token=token, params={"query": "http:500"}).headers
    monkeypatch.setattr(walk, "SCANNED_MAX", 1)
    stopped = server.call("GET", "/v1/errors", token=token, params={"query": "http:500"})
    assert (stopped.json, stopped.headers["Search-Complete"]) == ([], "false")
