"""Whole numbers that SQLite, JSON or a calendar cannot hold are refused by name, wherever a client may send one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.api.conftest import Server
from tests.seed import Seed

INT64 = 2**63
MOVED = ("/settings/alerts/{rule_id:int}",)  # leads to where it is now, whatever it is
HUGE = [str(n) for n in (-INT64 - 1, -INT64, -1, 0, INT64 - 1, INT64, 10**30, -(10**30))]
SPELLINGS = ["1_0", "+1", " 1", "1.0", "0x1", "٣", "9" * 5000]


@pytest.fixture
def cookie(seed: Seed) -> str:
    shop = seed.project("shop")
    issue = seed.issue(shop, "f00d")
    seed.event(issue)
    seed.delivery(seed.firing(seed.rule(shop)))
    return seed.session(seed.user("grace", is_admin=True))


@pytest.mark.parametrize("number", [*HUGE, *SPELLINGS])
def test_no_number_in_a_path_is_an_error_of_ours(server: Server, cookie: str, number: str) -> None:
    answers = {}
    for template, method in server.routes.table():
        if ":int}" not in template or template in MOVED:
            continue
        path = template.replace("{ref}", "SHOP-1")
        path = re.sub(r"\{\w+:int\}", number, path)
        answers[method, template] = server.call(method, path, cookie=cookie, json={}).status_code

    assert len(answers) > 20
    assert {key: status for key, status in answers.items() if status not in (404, 414)} == {}


@pytest.mark.parametrize("number", [HUGE[0], str(INT64), SPELLINGS[-1]], ids=["low", "high", "long"])
@pytest.mark.parametrize(
    "name", ["limit", "offset", "since", "until", "after", "before", "from", "to", "days", "hours"]
)
def test_no_number_in_a_query_is_an_error_of_ours(server: Server, cookie: str, name: str, number: str) -> None:
    paths = [
        template
        for (template, method), need in server.routes.table().items()
        if method == "GET" and "{" not in template and template not in ("/v1/stream",)
    ]

    statuses = {path: server.call("GET", path, cookie=cookie, params={name: number}).status_code for path in paths}

    assert len(statuses) > 25
    assert {path: status for path, status in statuses.items() if status >= 500} == {}


RULE = {"name": "many", "rule_type": "threshold", "config": {"type": "threshold", "threshold": 5, "window_secs": 60}}
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/errors/f00d/mute", {"until": "N"}),
    ("POST", "/v1/errors/f00d/mute", {"for_secs": "N"}),
    ("POST", "/v1/errors/f00d/mute", {"events": "N"}),
    ("POST", "/v1/errors/f00d/mute", {"per_hour": "N"}),
    ("POST", "/v1/tokens", {"project_id": "shop", "name": "t", "scopes": ["errors:read"], "expires_in_days": "N"}),
    ("POST", "/v1/alerts", RULE | {"cooldown_secs": "N"}),
    ("POST", "/v1/alerts", RULE | {"config": RULE["config"] | {"threshold": "N"}}),
    ("POST", "/v1/alerts", RULE | {"config": RULE["config"] | {"window_secs": "N"}}),
    ("POST", "/v1/alerts/preview", RULE | {"config": RULE["config"] | {"threshold": "N"}}),
    ("POST", "/v1/alerts/1/channels", {"channel_type": "telegram", "config": {"bot_token": "1:a", "chat_id": "N"}}),
    ("POST", "/v1/projects", {"name": "N", "slug": "N"}),
    ("POST", "/v1/projects/shop/rotate-key", {"keep_days": "N"}),
    ("PUT", "/v1/retention", {"raw_events_days": "N"}),
    ("PUT", "/v1/projects/shop/retention", {"raw_events_days": "N"}),
]


@pytest.mark.parametrize("number", [-INT64 - 1, INT64, 10**30])
@pytest.mark.parametrize(("method", "path", "body"), BODIES)
def test_no_number_in_a_body_is_an_error_of_ours(
    server: Server, cookie: str, method: str, path: str, body: dict[str, Any], number: int
) -> None:
    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: put(inner) for name, inner in value.items()}
        return number if value == "N" else value

    answer = server.call(method, path, cookie=cookie, json=put(body))

    assert 400 <= answer.status_code < 500, answer.text
