"""/v1/channels: channels that are made once, who may see and change them, and the rules that notify them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.api.conftest import Server
from tests.integration.api.test_alerts_api import NOW_S, SECRET_URL, alerts_process, refusal, send
from tests.seed import Seed

SLACK = {"type": "slack", "webhook_url": SECRET_URL}
HOOK = {"type": "webhook", "url": "https://hooks.example.com/x"}


@pytest.fixture
def admin(seed: Seed) -> dict[str, Any]:
    return {"cookie": seed.session()}


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop")


@pytest.fixture
def token(seed: Seed, shop: int) -> dict[str, Any]:
    return {"token": seed.token(shop, "alerts:read", "alerts:write")}


def create(server: Server, credential: dict[str, Any], config: dict[str, Any] = SLACK, **fields: Any) -> Any:
    return send(server, "POST", "/v1/channels", {"config": config} | fields, **credential)


def test_a_channel_is_made_shown_changed_and_deleted(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    made = create(server, admin, name=" Team ")

    assert made == {
        "id": 1,
        "name": "Team",
        "channel_type": "slack",
        "config": {"type": "slack", "webhook_url": "https://hooks.slack.com/…XyZ9"},
        "target": "hooks.slack.com",
        "project_id": None,
        "rules": [],
        "created_at": NOW_S,
        "updated_at": NOW_S,
    }
    assert server.get("/v1/channels", **admin) == [made]
    assert server.get("/v1/channels/1", **admin) == made
    server.now_ms += 5000
    renamed = send(server, "PUT", "/v1/channels/1", {"name": "Everyone"}, **admin)
    assert renamed == made | {"name": "Everyone", "updated_at": NOW_S + 5}
    assert SECRET_URL in seed.value("SELECT config FROM channels")
    moved = send(server, "PUT", "/v1/channels/1", {"config": HOOK}, **admin)
    assert (moved["channel_type"], moved["name"], moved["target"]) == ("webhook", "Everyone", "hooks.example.com")
    assert send(server, "DELETE", "/v1/channels/1", **admin) == {"deleted": 1}
    assert refusal(server, "GET", "/v1/channels/1", **admin) == (404, {"error": "channel 1 not found"})


def test_a_channel_without_a_name_gets_one_that_is_free(server: Server, admin: dict[str, Any], shop: int) -> None:
    names = [create(server, admin)["name"] for _ in range(3)]
    elsewhere = create(server, admin, project_id="shop")["name"]

    assert names == ["Slack hooks.slack.com", "Slack hooks.slack.com 2", "Slack hooks.slack.com 3"]
    assert elsewhere == "Slack hooks.slack.com"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "config"),
        ({"config": {"type": "pigeon"}}, "config.type"),
        ({"config": {"type": "slack", "webhook_url": "http://127.0.0.1/x"}}, "config.webhook_url"),
        ({"config": SLACK, "name": "x" * 101}, "name"),
        ({"config": SLACK, "name": "two\nlines"}, "name"),
        ({"config": SLACK, "name": 5}, "name"),
        ({"config": SLACK, "project_id": "nowhere"}, "project_id"),
    ],
)
def test_a_bad_field_is_named(server: Server, admin: dict[str, Any], body: dict[str, Any], path: str) -> None:
    status, answer = refusal(server, "POST", "/v1/channels", body, **admin)

    assert (status, answer["path"]) == (400, path)
    assert server.get("/v1/channels", **admin) == []


def test_a_name_is_taken_once_in_its_project(server: Server, admin: dict[str, Any], shop: int) -> None:
    create(server, admin, name="Team")
    create(server, admin, name="Team", project_id="shop")
    other = create(server, admin, name="Other")

    taken = (409, {"error": "there is a channel named 'Team' already"})
    assert refusal(server, "POST", "/v1/channels", {"config": SLACK, "name": "Team"}, **admin) == taken
    assert refusal(server, "PUT", f"/v1/channels/{other['id']}", {"name": "Team"}, **admin) == taken
    assert send(server, "PUT", f"/v1/channels/{other['id']}", {"name": "Other"}, **admin) == other
    assert refusal(server, "PUT", f"/v1/channels/{other['id']}", {"name": " "}, **admin)[0] == 400


def test_the_number_of_channels_is_bounded(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    seed.db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO channels"
        " (channel_type, config, created_at_ms, updated_at_ms) SELECT 'slack', '{}', 0, 0 FROM n"
    )

    assert refusal(server, "POST", "/v1/channels", {"config": SLACK}, **admin)[0] == 409
    assert refusal(server, "POST", "/v1/alerts/1/channels", {"config": SLACK}, **admin)[0] == 409


# Whose


def test_a_token_sees_and_changes_the_channels_of_its_project_alone(
    server: Server, seed: Seed, admin: dict[str, Any], token: dict[str, Any]
) -> None:
    seed.project("blog")
    own = create(server, token, name="Own", project_id="blog")
    foreign = create(server, admin, name="Foreign", project_id="blog")["id"], create(server, admin, name="All")["id"]

    assert own["project_id"] == "id-of-shop"
    assert [row["name"] for row in server.get("/v1/channels", **token)] == ["Own"]
    for channel_id in foreign:
        for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")):
            assert refusal(server, method, f"/v1/channels/{channel_id}{path}", {}, **token)[0] == 404
    assert send(server, "DELETE", f"/v1/channels/{own['id']}", **token) == {"deleted": own["id"]}


def test_channels_for_all_projects_need_an_admin_and_those_of_one_its_creator(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    person = {"cookie": seed.session(ada)}
    seed.project("hers", created_by=ada)
    others = seed.channel(None, project_id=seed.project("others"))
    for_all = seed.channel(None)

    made = create(server, person, project_id="hers")

    assert len(server.get("/v1/channels", **person)) == 3  # seen they are all
    assert send(server, "PUT", f"/v1/channels/{made['id']}", {"name": "New"}, **person)["name"] == "New"
    for project in ({}, {"project_id": "others"}):
        assert refusal(server, "POST", "/v1/channels", {"config": SLACK} | project, **person)[0] == 403
        assert refusal(server, "POST", "/v1/channels", project, **person)[0] == 403, "before the config is looked at"
    for channel_id in (others, for_all):
        for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/test")):
            assert refusal(server, method, f"/v1/channels/{channel_id}{path}", {}, **person)[0] == 403


def test_channels_of_a_deleted_project_are_gone_with_it(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    channel = seed.channel(None, project_id=seed.project("shop"))

    assert server.call("DELETE", "/v1/projects/shop", **admin).status_code == 200

    assert server.get("/v1/channels", **admin) == []
    assert refusal(server, "GET", f"/v1/channels/{channel}", **admin)[0] == 404


# Rules that notify them


def test_a_saved_channel_is_attached_to_several_rules(
    server: Server, admin: dict[str, Any], seed: Seed, shop: int
) -> None:
    saved, rule = create(server, admin, name="Team"), seed.rule(shop)

    attached = [
        send(server, "POST", f"/v1/alerts/{rule_id}/channels", {"channel_id": saved["id"]}, **admin)
        for rule_id in (1, rule, 1)
    ]

    assert [(row["id"], row["rule_id"], row["config"]) for row in attached] == [
        (saved["id"], rule_id, saved["config"]) for rule_id in (1, rule, 1)
    ]
    assert server.get(f"/v1/channels/{saved['id']}", **admin)["rules"] == [1, rule]
    assert send(server, "DELETE", f"/v1/alerts/1/channels/{saved['id']}", **admin) == {"deleted": saved["id"]}
    assert server.get(f"/v1/channels/{saved['id']}", **admin)["rules"] == [rule]
    send(server, "DELETE", f"/v1/alerts/{rule}", **admin)
    assert server.get(f"/v1/channels/{saved['id']}", **admin)["rules"] == []


def test_a_config_attached_twice_in_a_project_is_one_channel_that_goes_with_its_last_rule(
    server: Server, seed: Seed, token: dict[str, Any], shop: int
) -> None:
    rules = [seed.rule(shop), seed.rule(shop)]

    first, second = (send(server, "POST", f"/v1/alerts/{rule}/channels", {"config": SLACK}, **token) for rule in rules)

    assert first["id"] == second["id"]
    assert server.get("/v1/channels", **token)[0]["name"] is None
    send(server, "DELETE", f"/v1/alerts/{rules[0]}/channels/{first['id']}", **token)
    assert len(server.get("/v1/channels", **token)) == 1
    send(server, "DELETE", f"/v1/alerts/{rules[1]}", **token)
    assert seed.rows("SELECT * FROM channels") == [], "nor does its secret stay behind"


def test_a_config_that_a_saved_channel_has_attaches_that_one(
    server: Server, seed: Seed, token: dict[str, Any], shop: int
) -> None:
    saved = create(server, token, name="Team")

    attached = send(server, "POST", f"/v1/alerts/{seed.rule(shop)}/channels", {"config": SLACK}, **token)

    assert attached["id"] == saved["id"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"channel_id": 99}, "channel_id"),
        ({"channel_id": "1"}, "channel_id"),
        ({"channel_id": True}, "channel_id"),
        ({"channel_id": 2**63}, "channel_id"),
        ({"channel_id": 1, "config": SLACK}, "channel_id"),
    ],
)
def test_a_channel_that_cannot_be_attached_is_refused(
    server: Server, seed: Seed, admin: dict[str, Any], body: dict[str, Any], path: str
) -> None:
    seed.channel(None)

    status, answer = refusal(server, "POST", "/v1/alerts/1/channels", body, **admin)

    assert (status, answer["path"]) == (400, path)


def test_a_rule_gets_channels_of_its_own_project_and_those_for_all(
    server: Server, seed: Seed, admin: dict[str, Any], token: dict[str, Any], shop: int
) -> None:
    rule = seed.rule(shop)
    for_all, own = seed.channel(None), seed.channel(None, project_id=shop)
    foreign = seed.channel(None, project_id=seed.project("blog"))

    for channel_id, credential, status in (
        (for_all, admin, 200), (own, admin, 200), (foreign, admin, 400), (foreign, token, 400), (own, token, 200),
    ):  # fmt: skip
        path = f"/v1/alerts/{rule}/channels"
        assert refusal(server, "POST", path, {"channel_id": channel_id}, **credential)[0] == status
    assert refusal(server, "POST", "/v1/alerts/1/channels", {"channel_id": own}, **admin)[0] == 400
    other_rule = seed.rule(shop)
    refused = refusal(server, "POST", f"/v1/alerts/{other_rule}/channels", {"channel_id": for_all}, **token)
    assert refused[0] == 400, "a token does not see channels for all projects"


def test_a_deleted_channel_leaves_its_rules_and_dismisses_what_waits(
    server: Server, seed: Seed, admin: dict[str, Any]
) -> None:
    channel = seed.channel(1, name="Team")
    seed.delivery(seed.firing(1), "waiting", channel_id=channel)

    send(server, "DELETE", f"/v1/channels/{channel}", **admin)

    assert server.get("/v1/alerts/1/channels", **admin) == []
    assert seed.rows("SELECT state, last_error FROM deliveries") == [("dismissed", "the channel was deleted")]


def test_a_channel_that_leaves_a_rule_dismisses_what_waits_for_it_there_alone(
    server: Server, seed: Seed, admin: dict[str, Any]
) -> None:
    channel = seed.channel(1, name="Team")
    send(server, "POST", "/v1/alerts/2/channels", {"channel_id": channel}, **admin)
    waiting = [seed.delivery(seed.firing(rule), "waiting", channel_id=channel) for rule in (1, 2)]

    send(server, "DELETE", f"/v1/alerts/1/channels/{channel}", **admin)

    states = seed.rows("SELECT id, state, last_error FROM deliveries ORDER BY id")
    assert states == [(waiting[0], "dismissed", "the channel was removed from the rule"), (waiting[1], "waiting", None)]
    refused = refusal(server, "POST", f"/v1/deliveries/{waiting[0]}/retry", **admin)
    assert refused[0] == 409


# Tests


def test_a_test_of_a_channel_tells_what_the_receiver_answered(
    server: Server, seed: Seed, admin: dict[str, Any]
) -> None:
    channel = seed.channel(None, "https://ill.example/x", name="Team")

    with alerts_process(seed, {"ill.example": (503, "ill.example answered 503")}):
        answer = send(server, "POST", f"/v1/channels/{channel}/test", **admin)

    assert answer == {
        "sent": False,
        "results": [
            {"channel": channel, "channel_type": "webhook", "target": "ill.example", "state": "failed",
             "detail": "ill.example answered 503", "status": 503, "answer": "upstream is away", "duration_ms": 12}
        ],
    }  # fmt: skip
    assert seed.rows("SELECT rule_id, rule_name, is_test FROM alert_firings") == [(None, "Team", 1)]
    assert seed.value("SELECT message ->> 'text' FROM alert_firings").startswith("Test of channel Team, 2027-01-15")
    assert seed.value("SELECT state FROM deliveries") == "dismissed"
