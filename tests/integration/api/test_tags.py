"""GET /v1/errors/{fingerprint}/tags."""

from __future__ import annotations

import pytest

from bloop.base.clock import DAY_MS
from bloop.issues.tags import api
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed


@pytest.fixture
def token(seed: Seed) -> str:
    shop = seed.project("shop")
    issue = seed.issue(shop, "f00d")
    for n in range(8):
        seed.event(
            issue,
            received_at_ms=NOW_MS - n * DAY_MS // 2 - 1,
            timestamp_ms=NOW_MS - n * DAY_MS // 2 - 1,
            environment="production" if n % 4 else "staging",
            http_status=500 + n % 2,
            metadata=f'{{"plan":"{"pro" if n < 3 else "free"}","n":{n}}}',
        )
    return seed.token(shop, "errors:read")


def tag(body: dict, key: str) -> dict:
    return next(found for found in body["tags"] if found["key"] == key)


def test_tags_have_counts_and_shares_of_the_events_in_scope(server: Server, token: str) -> None:
    body = server.get("/v1/errors/f00d/tags?t=7d", token=token)

    assert (body["events"], body["is_complete"]) == (8, True)
    assert tag(body, "env") == {
        "key": "env",
        "events": 8,
        "distinct": 2,
        "values": [
            {"value": "production", "count": 6, "share": 0.75},
            {"value": "staging", "count": 2, "share": 0.25},
        ],
        "other": 0,
    }
    assert [value["value"] for value in tag(body, "tag.plan")["values"]] == ["free", "pro"]


def test_the_scope_narrows_what_is_counted(server: Server, token: str) -> None:
    day = server.get("/v1/errors/f00d/tags", token=token)
    production = server.get("/v1/errors/f00d/tags?t=7d&env=production&limit=2", token=token)

    assert day["events"] == 2
    assert production["events"] == 6
    assert len(tag(production, "tag.n")["values"]) == 2
    assert tag(production, "tag.n")["other"] == 4


def test_only_the_newest_events_are_looked_at_and_that_is_said(
    server: Server, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "EVENTS_MAX", 3)

    body = server.get("/v1/errors/f00d/tags?t=7d", token=token)

    assert (body["events"], body["is_complete"]) == (3, False)
    assert {value["value"] for value in tag(body, "tag.n")["values"]} == {"0", "1", "2"}


def test_an_issue_without_events_in_scope_has_no_tags(server: Server, token: str) -> None:
    assert server.get("/v1/errors/f00d/tags?release=9", token=token) == {"events": 0, "is_complete": True, "tags": []}


@pytest.mark.parametrize(("query", "path"), [("t=yesterday", "t"), ("limit=many", "limit")])
def test_a_parameter_that_cannot_be_read_is_named(server: Server, token: str, query: str, path: str) -> None:
    answer = server.call("GET", f"/v1/errors/f00d/tags?{query}", token=token)

    assert (answer.status_code, answer.json["path"]) == (400, path)


def test_an_unknown_fingerprint_is_404(server: Server, token: str) -> None:
    assert server.call("GET", "/v1/errors/nope/tags", token=token).status_code == 404
