"""/v1/alerts and /v1/deliveries over a real database: who may what, both shapes of a body, what is shown of secrets."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.firing import send_test as trial
from bloop.base.reasons import Reason
from bloop.db import connection
from bloop.processes.store import store_heartbeat
from tests.integration.api.conftest import Server
from tests.seed import NOW_MS, Seed

NOW_S = NOW_MS // 1000
SECRET_URL = "https://hooks.slack.com/services/T0000/B0000/very-secret-XyZ9"
ATTEMPT = deliveries.Attempt(12, "upstream is away")
THRESHOLD = {"type": "threshold", "threshold": 100, "window_secs": 300}


def send(server: Server, method: str, path: str, body: Any = None, **credential: Any) -> Any:
    result = server.call(method, path, json=body, **credential)
    assert result.status_code == 200, result.text
    return result.json


def refusal(server: Server, method: str, path: str, body: Any = None, **credential: Any) -> tuple[int, Any]:
    result = server.call(method, path, json=body, **credential)
    return result.status_code, result.json


@pytest.fixture
def admin(seed: Seed) -> dict[str, Any]:
    return {"cookie": seed.session()}


@pytest.fixture
def shop(seed: Seed) -> int:
    return seed.project("shop")


@pytest.fixture
def token(seed: Seed, shop: int) -> dict[str, Any]:
    """Of the shop, for everything about alerts."""
    return {"token": seed.token(shop, "alerts:read", "alerts:write")}


# Rules


def test_a_rule_is_made_shown_changed_and_deleted(server: Server, seed: Seed, admin: dict[str, Any], shop: int) -> None:
    made = send(server, "POST", "/v1/alerts", {"name": " Many ", "config": THRESHOLD, "project_id": "shop"}, **admin)

    assert made == {
        "id": 3,
        "name": "Many",
        "rule_type": "threshold",
        "config": {**THRESHOLD, "fingerprint": None, "route": None, "environment": None, "source": None},
        "enabled": True,
        "project_id": "id-of-shop",
        "description": None,
        "environment_filter": None,
        "source_filter": None,
        "cooldown_secs": None,
        "created_at": NOW_S,
        "updated_at": NOW_S,
        "last_fired_at": None,
    }
    assert server.get("/v1/alerts", **admin)[2] == server.get("/v1/alerts/3", **admin) == made

    server.now_ms += 5000
    changed = send(server, "PUT", "/v1/alerts/3", {"enabled": False, "source_filter": "API"}, **admin)

    assert changed == made | {"enabled": False, "source_filter": "api", "updated_at": NOW_S + 5}
    assert send(server, "DELETE", "/v1/alerts/3", **admin) == {"deleted": 3}
    assert refusal(server, "DELETE", "/v1/alerts/3", **admin) == (404, {"error": "alert rule 3 not found"})


def test_the_config_may_stand_beside_the_rest(server: Server, admin: dict[str, Any], shop: int) -> None:
    flat = {"name": "Many", "rule_type": "threshold", "threshold": 100, "window_secs": 300, "project_id": "shop"}

    beside = send(server, "POST", "/v1/alerts", flat, **admin)
    inside = send(server, "POST", "/v1/alerts", {"name": "Many", "config": THRESHOLD, "project_id": "shop"}, **admin)

    assert beside | {"id": 0} == inside | {"id": 0}
    untyped = {"name": "New", "rule_type": "new_issue", "config": {}}
    assert send(server, "POST", "/v1/alerts", untyped, **admin)["config"] == {"type": "new_issue", "environment": None}


def test_the_rules_of_a_new_installation_show_every_member_of_their_config(
    server: Server, admin: dict[str, Any]
) -> None:
    rules = server.get("/v1/alerts", **admin)

    assert [(rule["name"], rule["config"], rule["project_id"]) for rule in rules] == [
        ("New issues", {"type": "new_issue", "environment": None}, None),
        ("Regressions", {"type": "regression", "environment": None, "fingerprint": None}, None),
    ]


def test_omitted_and_null_fields_are_kept_and_blank_text_clears(server: Server, admin: dict[str, Any]) -> None:
    said = {"description": "why", "environment_filter": "production", "source_filter": "api", "cooldown_secs": 60}
    made = send(server, "POST", "/v1/alerts", {"name": "N", "config": THRESHOLD, **said}, **admin)
    path = f"/v1/alerts/{made['id']}"

    assert send(server, "PUT", path, dict.fromkeys((*made, "config")), **admin) == made | {"cooldown_secs": None}
    emptied = send(server, "PUT", path, {"description": "", "environment_filter": " ", "source_filter": ""}, **admin)

    assert [emptied[name] for name in ("description", "environment_filter", "source_filter")] == [None] * 3
    other = send(server, "PUT", path, {"config": {"type": "regression", "environment": "test"}}, **admin)
    assert (other["rule_type"], other["config"]["environment"]) == ("regression", "test")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"config": THRESHOLD}, "name"),
        ({"name": " ", "config": THRESHOLD}, "name"),
        ({"name": "x" * 101, "config": THRESHOLD}, "name"),
        ({"name": 5, "config": THRESHOLD}, "name"),
        ({"name": "N"}, "config"),
        ({"name": "N", "config": "threshold"}, "config"),
        ({"name": "N", "config": {}}, "config.type"),
        ({"name": "N", "config": {"type": "sometimes"}}, "config.type"),
        ({"name": "N", "config": {"type": "threshold", "window_secs": 60}}, "config.threshold"),
        ({"name": "N", "config": THRESHOLD | {"window_secs": 0}}, "config.window_secs"),
        ({"name": "N", "config": THRESHOLD | {"enviroment": "production"}}, "config.enviroment"),
        ({"name": "N", "rule_type": "threshold", "threshold": 1, "window_secs": 60, "model": "x"}, "config.model"),
        ({"name": "N", "config": THRESHOLD, "project_id": "nowhere"}, "project_id"),
        ({"name": "N", "config": THRESHOLD, "project_id": 5}, "project_id"),
        ({"name": "N", "config": THRESHOLD, "enabled": "yes"}, "enabled"),
        ({"name": "N", "config": THRESHOLD, "cooldown_secs": 1.5}, "cooldown_secs"),
        ({"name": "N", "config": THRESHOLD, "cooldown_secs": 604_801}, "cooldown_secs"),
        ({"name": "N", "config": THRESHOLD, "source_filter": "s" * 33}, "source_filter"),
        ({"name": "N", "config": THRESHOLD, "description": "d" * 1001}, "description"),
    ],
)
def test_a_bad_field_is_named(server: Server, admin: dict[str, Any], body: dict[str, Any], path: str) -> None:
    status, answer = refusal(server, "POST", "/v1/alerts", body, **admin)

    assert (status, answer["path"]) == (400, path)
    assert len(server.get("/v1/alerts", **admin)) == 2


@pytest.mark.parametrize(
    ("rule_id", "error"),
    [
        ("0", "alert rule 0 not found"),
        ("4", "alert rule 4 not found"),
        (str(2**63 - 1), f"alert rule {2**63 - 1} not found"),
        ("99999999999999999999999", "not found"),  # no number of a row, hence no route
    ],
)
def test_an_unknown_rule_is_not_found_by_any_method(
    server: Server, admin: dict[str, Any], rule_id: str, error: str
) -> None:
    for method, rest in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/channels"), ("POST", "/test"),
                         ("GET", "/firings"), ("DELETE", "/channels/1")):  # fmt: skip
        status, answer = refusal(server, method, f"/v1/alerts/{rule_id}{rest}", {}, **admin)
        assert (status, answer) == (404, {"error": error}), (method, rest)


# Whose


def test_a_token_sees_and_changes_the_rules_of_its_project_alone(
    server: Server, seed: Seed, token: dict[str, Any], shop: int
) -> None:
    own, others = seed.rule(shop), seed.rule(seed.project("blog"))

    assert [rule["id"] for rule in server.get("/v1/alerts", **token)] == [own]
    assert [rule["id"] for rule in server.get("/v1/alerts?project_id=blog", **token)] == [own]
    for foreign in (1, others):
        for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/firings")):
            assert refusal(server, method, f"/v1/alerts/{foreign}{path}", {}, **token)[0] == 404, (foreign, path)
    made = send(server, "POST", "/v1/alerts", {"name": "N", "config": THRESHOLD, "project_id": "blog"}, **token)
    assert made["project_id"] == "id-of-shop"
    assert send(server, "DELETE", f"/v1/alerts/{own}", **token) == {"deleted": own}


def test_a_token_needs_the_scope(server: Server, seed: Seed, shop: int) -> None:
    reading, other = seed.token(shop, "alerts:read"), seed.token(shop, "errors:read", "errors:write")

    assert server.call("GET", "/v1/alerts", token=reading).status_code == 200
    assert refusal(server, "POST", "/v1/alerts", {}, token=reading) == (
        403,
        {"error": "token lacks required scope: alerts:write"},
    )
    assert refusal(server, "GET", "/v1/deliveries", token=other)[0] == 403


def test_rules_over_all_projects_need_an_admin_and_those_of_one_its_creator(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    person = {"cookie": seed.session(ada)}
    seed.project("hers", created_by=ada)
    seed.project("others")
    body = {"name": "N", "config": THRESHOLD}

    made = send(server, "POST", "/v1/alerts", body | {"project_id": "hers"}, **person)

    assert len(server.get("/v1/alerts", **person)) == 3  # seen they are all
    assert send(server, "PUT", f"/v1/alerts/{made['id']}", {"enabled": False}, **person)["enabled"] is False
    for project in ({}, {"project_id": "others"}):
        assert refusal(server, "POST", "/v1/alerts", body | project, **person)[0] == 403
    assert refusal(server, "PUT", "/v1/alerts/1", {"enabled": False}, **person) == (
        403,
        {"error": "only an admin may do this: the rule is over all projects"},
    )


def test_rules_of_a_deleted_project_are_gone_with_it(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    rule = seed.rule(seed.project("shop"))

    assert server.call("DELETE", "/v1/projects/shop", **admin).status_code == 200

    assert [row["id"] for row in server.get("/v1/alerts", **admin)] == [1, 2]
    assert refusal(server, "GET", f"/v1/alerts/{rule}", **admin)[0] == 404


# Channels


def test_secrets_of_a_channel_are_written_and_never_shown(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    config = {"type": "slack", "webhook_url": SECRET_URL}

    made = send(server, "POST", "/v1/alerts/1/channels", {"config": config}, **admin)

    assert (made["channel_type"], made["target"]) == ("slack", "hooks.slack.com")
    assert server.get("/v1/alerts/1/channels", **admin) == [made]
    for path in ("/v1/alerts", "/v1/alerts/1/channels", "/alerts", "/alerts/1", "/alerts/channels"):
        assert "very-secret" not in server.call("GET", path, **admin).text
    assert SECRET_URL in seed.value("SELECT config FROM channels")
    assert send(server, "DELETE", f"/v1/alerts/1/channels/{made['id']}", **admin) == {"deleted": made["id"]}
    assert refusal(server, "DELETE", f"/v1/alerts/1/channels/{made['id']}", **admin)[0] == 404


@pytest.mark.parametrize(
    ("config", "path"),
    [
        (None, "config"),
        ({}, "config.type"),
        ({"type": "pigeon"}, "config.type"),
        ({"type": "slack"}, "config.webhook_url"),
        ({"type": "slack", "webhook_url": "http://127.0.0.1/x"}, "config.webhook_url"),
        ({"type": "email", "to": "nobody"}, "config.to"),
    ],
)
def test_a_bad_channel_is_refused_with_its_field(server: Server, admin: dict[str, Any], config: Any, path: str) -> None:
    status, answer = refusal(server, "POST", "/v1/alerts/1/channels", {"config": config}, **admin)

    assert (status, answer["path"]) == (400, path)


def test_a_channel_is_removed_through_its_own_rule_only(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    channel = seed.channel(1)

    assert refusal(server, "DELETE", f"/v1/alerts/2/channels/{channel}", **admin)[0] == 404
    assert seed.value("SELECT count(*) FROM channels") == 1


def test_the_numbers_of_channels_and_rules_are_bounded(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    for _ in range(20):
        seed.channel(1)
    for _ in range(498):
        seed.rule()

    one_more = {"config": {"type": "slack", "webhook_url": SECRET_URL}}
    assert refusal(server, "POST", "/v1/alerts/1/channels", one_more, **admin)[0] == 409
    assert refusal(server, "POST", "/v1/alerts", {"name": "N", "config": THRESHOLD}, **admin)[0] == 409


# Tests


@contextlib.contextmanager
def alerts_process(seed: Seed, answers: dict[str, tuple[int, str | None]]) -> Iterator[None]:
    """Stands in for it: answers each waiting delivery by its target with a status and what went wrong."""
    stop, db = threading.Event(), connection.open_control(seed.path)
    store_heartbeat(db, "alerts", started_at_ms=NOW_MS, now_ms=NOW_MS, troubles=())

    def work() -> None:
        while not stop.wait(0.01):
            with connection.immediate(db):
                for row in db.execute(
                    "SELECT id, target FROM deliveries WHERE state = 'waiting' AND attempts = 0"
                ).fetchall():
                    status, error = answers[str(row[1])]
                    if error is None:
                        deliveries.mark_sent(db, row[0], status=status, now_ms=NOW_MS, attempt=ATTEMPT)
                    else:
                        deliveries.schedule_retry(
                            db, row[0], next_try_at_ms=NOW_MS + 5000, error=error, status=status, attempt=ATTEMPT
                        )

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        db.close()


def test_a_test_reports_the_answer_of_each_receiver(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    well, ill = seed.channel(1, "https://well.example/x"), seed.channel(1, "https://ill.example/x")
    answers = {"well.example": (204, None), "ill.example": (503, "ill.example answered 503")}

    with alerts_process(seed, answers):
        answer = send(server, "POST", "/v1/alerts/1/test", **admin)
        alone = {"sent": True, "results": [answer["results"][0]]}
        seed.db.execute("DELETE FROM channels WHERE id = ?", (ill,))
        assert send(server, "POST", "/v1/alerts/1/test", **admin) == alone

    shown = {
        "channel_type": "webhook",
        "channel": well,
        "target": "well.example",
        "answer": "upstream is away",
        "duration_ms": 12,
    }
    assert answer == {
        "sent": False,
        "results": [
            shown | {"state": "sent", "detail": "", "status": 204},
            shown | {"channel": ill, "target": "ill.example", "state": "failed", "status": 503,
                     "detail": "ill.example answered 503"},
        ],
    }  # fmt: skip
    # It is tried once, and nobody else is to be troubled: the one that failed is dismissed.
    assert seed.rows("SELECT state, attempts FROM deliveries ORDER BY id")[:2] == [("sent", 1), ("dismissed", 1)]
    text = seed.value("SELECT message ->> 'text' FROM alert_firings")
    assert text.startswith("Test of alert rule 1, 2027-01-15 08:00:00 UTC")


def test_without_the_alerts_process_a_test_fails_at_once(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    seed.channel(1)

    answer = send(server, "POST", "/v1/alerts/1/test", **admin)

    assert (answer["sent"], answer["results"][0]["detail"]) == (False, "the alerts process does not run")


def test_a_rule_without_channels_cannot_be_tested(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    assert send(server, "POST", "/v1/alerts/1/test", **admin) == {"sent": False, "results": []}


# What fired, what would have


def test_firings_come_newest_first_by_pages(server: Server, seed: Seed, admin: dict[str, Any], shop: int) -> None:
    issue = seed.issue(shop, "f00d")
    ids = [seed.firing(1, project_id=shop, issue_id=issue, signal_id=number) for number in range(5)]
    seed.delivery(ids[4], "sent")
    seed.firing(1, rule_type="digest")
    seed.firing(2)

    first = server.call("GET", "/v1/alerts/1/firings?limit=2", **admin)
    following = first.headers["Link"].partition("<")[2].partition(">")[0]
    second = server.get(following, **admin)

    assert [row["id"] for row in (*first.json, *second)] == ids[:0:-1]
    assert first.json[0] == {
        "id": ids[4],
        "rule_id": 1,
        "project_id": "id-of-shop",
        "issue": "SHOP-1",
        "fingerprint": "f00d",
        "text": "something happened",
        "url": "https://errors.example.com/",
        "is_test": False,
        "fired_at": NOW_S,
        "deliveries": {"sent": 1, "waiting": 0, "failed": 0, "dismissed": 0},
    }
    assert [row["id"] for row in server.get("/v1/alerts/1/firings?limit=2&offset=4", **admin)] == [ids[0]]
    assert server.get("/v1/alerts/1", **admin)["last_fired_at"] == NOW_S


def test_a_preview_lists_past_alerts_and_stores_nothing(
    server: Server, seed: Seed, admin: dict[str, Any], token: dict[str, Any], shop: int
) -> None:
    for slug in ("shop", "blog"):
        project = shop if slug == "shop" else seed.project(slug)
        seed.issue(project, f"new-in-{slug}")
        seed.db.execute(
            "INSERT INTO signals (kind, project_id, issue_id, at_ms, data) SELECT 'issue.new', project_id, id, ?, '{}'"
            " FROM issues WHERE project_id = ?",
            (NOW_MS - 60_000, project),
        )
    body = {"config": {"type": "new_issue"}}

    everywhere = send(server, "POST", "/v1/alerts/preview", body, **admin)

    assert (everywhere["count"], everywhere["until"] - everywhere["since"]) == (2, 7 * 86_400)
    assert [(told["issue"], told["fired_at"]) for told in everywhere["firings"]] == [
        ("BLOG-1", NOW_S - 60),
        ("SHOP-1", NOW_S - 60),
    ]
    for narrowed, credential in ((body | {"project_id": "shop"}, admin), (body | {"project_id": "blog"}, token)):
        found = send(server, "POST", "/v1/alerts/preview", narrowed, **credential)
        assert [told["issue"] for told in found["firings"]] == ["SHOP-1"]
    assert send(server, "POST", "/v1/alerts/preview", body | {"environment_filter": "test"}, **admin)["count"] == 0
    assert len(server.get("/v1/alerts", **admin)) == 2
    assert seed.value("SELECT count(*) FROM alert_firings") == 0


# Deliveries


def test_deliveries_are_filtered_and_paged(
    server: Server, seed: Seed, admin: dict[str, Any], token: dict[str, Any], shop: int
) -> None:
    rule = seed.rule(shop)
    own = [seed.delivery(seed.firing(rule), state) for state in ("sent", "failed", "waiting")]
    other = seed.delivery(seed.firing(1))

    assert [row["id"] for row in server.get("/v1/deliveries", **admin)] == [other, *own[::-1]]
    assert [row["id"] for row in server.get("/v1/deliveries?state=failed", **admin)] == [other, own[1]]
    assert [row["id"] for row in server.get("/v1/deliveries?state=sent", **admin)] == [own[0]]
    assert [row["id"] for row in server.get(f"/v1/deliveries?rule_id={rule}&limit=2", **admin)] == own[:0:-1]
    assert [row["id"] for row in server.get("/v1/deliveries", **token)] == own[::-1]
    assert refusal(server, "GET", "/v1/deliveries?state=lost", **admin)[1]["path"] == "state"


def test_a_failed_delivery_is_sent_again_with_all_its_tries(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    channel = seed.channel(1)
    failed = seed.delivery(
        seed.firing(1), channel_id=channel, attempts=10, last_error="no answer", next_try_at_ms=NOW_MS - 1
    )

    again = send(server, "POST", f"/v1/deliveries/{failed}/retry", **admin)

    assert (again["state"], again["attempts"], again["next_try_at"]) == ("waiting", 0, NOW_S)
    dismissed = send(server, "POST", f"/v1/deliveries/{failed}/dismiss", **admin)
    assert (dismissed["state"], dismissed["last_error"], dismissed["next_try_at"]) == ("dismissed", "no answer", None)
    assert send(server, "POST", f"/v1/deliveries/{failed}/retry", **admin)["state"] == "waiting"


def test_one_that_waits_is_tried_now_and_keeps_its_count(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    waiting = seed.delivery(seed.firing(1), "waiting", attempts=4, next_try_at_ms=NOW_MS + 3_600_000)

    again = send(server, "POST", f"/v1/deliveries/{waiting}/retry", **admin)

    assert (again["attempts"], again["next_try_at"]) == (4, NOW_S)


def test_sent_and_impossible_deliveries_are_not_sent_again(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    sent = seed.delivery(seed.firing(1), "sent")
    orphan = seed.delivery(seed.firing(1), "dismissed", channel_id=77)
    test = seed.delivery(seed.firing(1, is_test=1), "dismissed")

    assert refusal(server, "POST", f"/v1/deliveries/{sent}/retry", **admin) == (409, {"error": "it was sent"})
    assert refusal(server, "POST", f"/v1/deliveries/{sent}/dismiss", **admin) == (409, {"error": "it was sent"})
    for delivery in (orphan, test):
        assert refusal(server, "POST", f"/v1/deliveries/{delivery}/retry", **admin)[0] == 409
    for path in ("0/retry", "99/retry", "99999999999999999999999/dismiss"):
        assert refusal(server, "POST", f"/v1/deliveries/{path}", **admin)[0] == 404


def test_deliveries_are_changed_by_whom_their_rule_is(
    server: Server, seed: Seed, token: dict[str, Any], shop: int
) -> None:
    person = {"cookie": seed.session(seed.user("ada"))}
    own, foreign = seed.delivery(seed.firing(seed.rule(shop))), seed.delivery(seed.firing(1))
    orphan = seed.delivery(seed.firing(None))

    assert send(server, "POST", f"/v1/deliveries/{own}/dismiss", **token)["state"] == "dismissed"
    for hidden in (foreign, orphan):
        assert refusal(server, "POST", f"/v1/deliveries/{hidden}/dismiss", **token)[0] == 404
        assert refusal(server, "POST", f"/v1/deliveries/{hidden}/dismiss", **person)[0] == 403


def test_a_deleted_rule_leaves_its_log_and_nothing_to_send(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    waiting = seed.delivery(seed.firing(1), "waiting", channel_id=seed.channel(1))

    send(server, "DELETE", "/v1/alerts/1", **admin)

    (row,) = server.get("/v1/deliveries", **admin)
    assert (row["id"], row["state"], row["rule"]) == (waiting, "dismissed", "a rule")
    assert refusal(server, "POST", f"/v1/deliveries/{waiting}/retry", **admin)[0] == 409


def test_the_banner_of_failed_deliveries_leads_to_them(server: Server, seed: Seed, admin: dict[str, Any]) -> None:
    store_heartbeat(seed.db, "alerts", started_at_ms=NOW_MS, now_ms=NOW_MS, troubles=[Reason.DELIVERIES_FAILING])

    shown = server.call("GET", "/alerts", headers={"Accept": "text/html"}, **admin).text

    assert 'href="/alerts/deliveries?state=failed"' in shown


def test_only_so_many_wait_for_a_test_at_once(
    server: Server, seed: Seed, admin: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed.channel(1)
    inside = threading.Barrier(3, timeout=10)
    finish = threading.Event()

    def wait(read: Any, within_s: float) -> Any:
        inside.wait()
        assert finish.wait(10)
        return read()

    monkeypatch.setattr(trial, "wait", wait)
    threads = [threading.Thread(target=send, args=(server, "POST", "/v1/alerts/1/test"), kwargs=admin) for _ in "12"]
    for thread in threads:
        thread.start()
    inside.wait()

    refused = server.call("POST", "/v1/alerts/1/test", **admin)
    finish.set()
    for thread in threads:
        thread.join()

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "15")
    monkeypatch.undo()
    assert server.call("POST", "/v1/alerts/1/test", **admin).status_code == 200
