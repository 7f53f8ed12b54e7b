"""The pages about alerts over a real database: the sentence as a form, channels, previews, the log."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from falcon import testing

from bloop.alerts.rules.read import get_rule, list_rules
from bloop.base.config import Alerting
from tests.integration.api.conftest import Server
from tests.integration.api.test_alerts_api import alerts_process
from tests.integration.api.test_project_pages import page
from tests.seed import NOW_MS, Seed

FORM = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
THRESHOLD = {
    "name": "Checkout is broken",
    "type": "threshold",
    "threshold": "100",
    "window_minutes": "5",
    "multiplier": "nonsense of another type",
    "route": "/checkout",
    "project": "shop",
    "environment": "production",
    "source": "API",
    "cooldown_minutes": "1.5",
}


def post(server: Server, path: str, cookie: str, **fields: str) -> testing.Result:
    return server.call("POST", path, cookie=cookie, headers=FORM, body=urlencode(fields))


def words(result: testing.Result) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", result.text)).split())


def value_of(result: testing.Result, name: str) -> str:
    found = re.search(rf'<input[^>]*name="{name}"[^>]* value="([^"]*)"', result.text)
    found = found or re.search(rf'<input[^>]* value="([^"]*)"[^>]*name="{name}"', result.text)
    assert found, name
    return html.unescape(found[1])


# The sentence


def test_the_form_creates_a_rule_that_reads_as_a_sentence(server: Server, seed: Seed) -> None:
    seed.project("shop")
    cookie = seed.session()

    made = post(server, "/settings/alerts", cookie, **THRESHOLD)

    assert (made.status_code, made.headers["Location"]) == (303, "/settings/alerts/3?done=made")
    rule = get_rule(seed.db, 3)
    assert rule is not None
    assert rule.config == {
        "threshold": 100,
        "window_secs": 300,
        "route": "/checkout",
        "fingerprint": None,
        "environment": None,
        "source": None,
    }
    assert (rule.environment_filter, rule.source_filter, rule.cooldown_secs) == ("production", "api", 90)
    sentence = "more than 100 events in 5 min of route /checkout in Shop, environment production, source api ."
    assert sentence in words(page(server, "/settings/alerts", cookie))
    shown = page(server, "/settings/alerts/3?done=made", cookie)
    assert [value_of(shown, name) for name in ("threshold", "window_minutes", "cooldown_minutes")] == [
        "100",
        "5",
        "1.5",
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "name is required"),
        ({"threshold": ""}, "The event count is required"),
        ({"threshold": "many"}, "The event count must be a number"),
        ({"threshold": "1.5"}, "The event count must be a whole number"),
        ({"window_minutes": "0"}, "The window in minutes must be a whole number from 1 to 1440"),
        ({"window_minutes": "9" * 40}, "The window in minutes must be a whole number from 1 to 1440"),
        ({"cooldown_minutes": "nan"}, "The cooldown in minutes must be a number"),
        ({"cooldown_minutes": "99999"}, "The cooldown in minutes must be a number from 0 to 10080"),
        ({"project": "nowhere"}, "project not found"),
        ({"type": "sometimes"}, "config.type must be one of"),
    ],
)
def test_an_invalid_rule_keeps_its_input_and_shows_the_reason(
    server: Server, seed: Seed, typed: dict[str, str], said: str
) -> None:
    seed.project("shop")

    answer = post(server, "/settings/alerts", seed.session(), **THRESHOLD | typed)

    assert answer.status_code == 400
    assert said in words(answer)
    assert value_of(answer, "route") == "/checkout"
    assert len(list_rules(seed.db)) == 2


def test_a_rule_is_changed_where_it_stands(server: Server, seed: Seed) -> None:
    seed.project("shop")
    cookie = seed.session()
    post(server, "/settings/alerts", cookie, **THRESHOLD)

    changed = THRESHOLD | {"name": "Other", "type": "spike", "multiplier": "2.5", "compare_minutes": "10"}
    answer = post(server, "/settings/alerts/3", cookie, **changed | {"baseline_minutes": "60", "environment": ""})

    assert answer.headers["Location"] == "/settings/alerts/3?done=saved"
    rule = get_rule(seed.db, 3)
    assert rule is not None
    assert (rule.name, rule.rule_type, rule.environment_filter) == ("Other", "spike", None)
    assert (rule.config["multiplier"], rule.config["baseline_window_secs"], rule.config["min_count"]) == (2.5, 3600, 10)


def test_a_preview_answers_with_the_form_as_typed_and_stores_nothing(server: Server, seed: Seed) -> None:
    issue = seed.issue(seed.project("shop"), "f00d")
    seed.db.execute(
        "INSERT INTO signals (kind, project_id, issue_id, at_ms, data) VALUES ('issue.new', 1, ?, ?, '{}')",
        (issue, NOW_MS - 60_000),
    )
    cookie = seed.session()

    unnamed = post(server, "/settings/alerts", cookie, type="new_issue", project="shop", do="preview")
    stored = post(server, "/settings/alerts/2", cookie, name="Changed", type="new_issue", do="preview")
    quiet = post(server, "/settings/alerts", cookie, type="regression", do="preview")

    for answer in (unnamed, stored):
        assert "would have fired 1 time in the last 7 days" in words(answer)
        assert 'href="/issues/SHOP-1"' in answer.text
    assert value_of(stored, "name") == "Changed"
    assert "would not have fired in the last 7 days" in words(quiet)
    assert [rule.name for rule in list_rules(seed.db)] == ["New issues", "Regressions"]


def test_a_rule_is_turned_off_and_on_and_deleted(server: Server, seed: Seed) -> None:
    cookie = seed.session()

    off = post(server, "/settings/alerts/1/enabled", cookie, enabled="off")

    assert "Rule turned off" in words(page(server, off.headers["Location"], cookie))
    assert seed.value("SELECT enabled FROM alert_rules WHERE id = 1") == 0
    post(server, "/settings/alerts/1/enabled", cookie, enabled="on")
    assert seed.value("SELECT enabled FROM alert_rules WHERE id = 1") == 1
    assert post(server, "/settings/alerts/1/enabled", cookie, enabled="maybe").status_code == 400
    assert post(server, "/settings/alerts/1/delete", cookie).headers["Location"] == "/settings/alerts?done=deleted"
    assert page(server, "/settings/alerts/1", cookie).status_code == 404


def test_a_user_who_may_only_read_gets_no_buttons(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    cookie = seed.session(ada)
    hers, foreign = (seed.rule(seed.project(slug, created_by=by)) for slug, by in (("hers", ada), ("others", None)))
    seed.delivery(seed.firing(foreign), channel_id=seed.channel(foreign))

    assert "Delete rule" in page(server, f"/settings/alerts/{hers}", cookie).text
    shown = page(server, f"/settings/alerts/{foreign}", cookie)
    assert "Only admins and the project&#39;s creator can change this rule." in shown.text
    for button in ("Delete rule", "Send test", "Add Slack", "Remove channel", ">Save<"):
        assert button not in shown.text
    assert "Try again" not in page(server, "/settings/alerts/deliveries", cookie).text
    assert "all projects</option>" not in page(server, "/settings/alerts/new", cookie).text
    for path, fields in (("", THRESHOLD), ("/channels", {"type": "slack"}), ("/delete", {}), ("/test", {})):
        assert post(server, f"/settings/alerts/{foreign}{path}", cookie, **fields).status_code == 403


# Channels


def test_a_webhook_is_added_with_its_headers_and_shown_without_secrets(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    typed = {"url": "https://hooks.example.com/secret-path", "headers": "X-Key: secret one\r\n\r\nX-Two: b:c\r\n"}

    added = post(server, "/settings/alerts/1/channels", cookie, type="webhook", **typed)

    assert added.headers["Location"] == "/settings/alerts/1?done=channel-added"
    assert seed.value("SELECT config ->> 'headers' FROM alert_channels") == '{"X-Key":"secret one","X-Two":"b:c"}'
    shown = page(server, "/settings/alerts/1", cookie)
    assert "Webhook hooks.example.com" in words(shown)
    assert "X-Key, X-Two" in words(shown)
    assert "secret" not in shown.text.replace("Secret for the signature", "").replace("signing_secret", "").replace(
        "With a secret it is signed", ""
    )
    removed = post(server, "/settings/alerts/1/channels/1/remove", cookie)
    assert removed.headers["Location"] == "/settings/alerts/1?done=channel-removed"
    assert seed.rows("SELECT * FROM alert_channels") == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "slack", "webhook_url": "http://10.0.0.1/hooks/s3cret"}, "invalid channel URL"),
        ({"type": "webhook", "url": "https://hooks.example.com/s3cret", "headers": "nonsense"}, "Name: value"),
        ({"type": "email", "to": "nobody"}, "invalid email address"),
        ({"type": "telegram", "bot_token": "s3cret", "chat_id": "12"}, "bot_token"),
        ({"type": "pigeon"}, ""),
    ],
)
def test_an_invalid_channel_shows_the_reason_and_no_secret(
    server: Server, seed: Seed, fields: dict[str, str], said: str
) -> None:
    answer = post(server, "/settings/alerts/1/channels", seed.session(), **fields)

    assert answer.status_code == 400
    assert said in words(answer)
    assert "s3cret" not in answer.text
    assert seed.rows("SELECT * FROM alert_channels") == []


def test_a_template_as_large_as_it_may_be_fits_the_form(server: Server, seed: Seed) -> None:
    template = '{"text": {{ text|tojson }}, "pad": "' + "é" * 4000 + '"}'

    added = post(
        server, "/settings/alerts/1/channels", seed.session(),
        type="webhook", url="https://hooks.example.com/x", template=template, content_type="application/json",
    )  # fmt: skip

    assert added.status_code == 303, words(added)
    assert seed.value("SELECT config ->> 'template' FROM alert_channels") == template


def test_rules_without_channels_tell_the_fallbacks(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    assert "Notify nobody when a new issue appears" in words(page(server, "/settings/alerts", cookie))
    assert "No channels yet." in words(page(server, "/settings/alerts/1", cookie))

    alerting = Alerting(slack_webhook_url="https://hooks.slack.com/services/T/B/secret")
    server.settings = replace(server.settings, alerting=alerting)
    server.__post_init__()

    for path in ("/settings/alerts", "/settings/alerts/1"):
        shown = page(server, path, cookie)
        assert "Notify Slack hooks.slack.com when" in words(shown)
        assert "secret" not in shown.text.replace("Secret", "").replace("signing_secret", "").replace("a secret it", "")
    seed.channel(1)
    assert "Notify Webhook hooks.example.com when" in words(page(server, "/settings/alerts/1", cookie))
    server.database.close()


def test_a_test_shows_the_answers_of_the_receivers(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    seed.channel(1, "https://well.example/x")
    seed.channel(1, "https://ill.example/x")

    with alerts_process(seed, {"well.example": (204, None), "ill.example": (503, "ill.example answered 503")}):
        sent = post(server, "/settings/alerts/1/test", cookie)

    assert sent.headers["Location"] == "/settings/alerts/1?test=1#test"
    shown = words(page(server, "/settings/alerts/1?test=1", cookie))
    assert "Webhook well.example accepted it : 204" in shown
    assert "Webhook ill.example rejected it : ill.example answered 503" in shown
    assert "accepted it" not in words(page(server, "/settings/alerts/2?test=1", cookie)), "it is not of that rule"


# The log


def test_the_log_shows_answers_and_leads_on(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    issue = seed.issue(seed.project("shop"), "f00d")
    for _ in range(51):
        seed.delivery(
            seed.firing(1, project_id=1, issue_id=issue), "sent", last_status=200, attempts=1, sent_at_ms=NOW_MS
        )
    seed.delivery(seed.firing(2), last_error="nobody listens", last_status=502, attempts=10)

    first = page(server, "/settings/alerts/deliveries", cookie)

    assert first.text.count("<li data-delivery>") == 50
    assert "502: nobody listens" in words(first)
    assert "answered 200" in words(first)
    assert 'href="/issues/SHOP-1"' in first.text
    older = html.unescape(re.search(r'<a class="button" href="([^"]+)">Older', first.text)[1])  # type: ignore[index]
    assert page(server, older, cookie).text.count("<li data-delivery>") == 2
    failed = page(server, "/settings/alerts/deliveries?state=failed", cookie)
    assert failed.text.count("<li data-delivery>") == 1
    of_rule = page(server, "/settings/alerts/deliveries?rule_id=2", cookie)
    assert (of_rule.text.count("<li data-delivery>"), "Rule Regressions" in words(of_rule)) == (1, True)
    assert page(server, "/settings/alerts/deliveries?state=lost", cookie).status_code == 400


def test_failed_ones_are_sent_again_given_up_and_given_up_together(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    first, *_ = [seed.delivery(seed.firing(1)) for _ in range(3)]
    log = "/settings/alerts/deliveries"

    assert post(server, f"{log}/{first}/retry", cookie).headers["Location"] == f"{log}?done=retried"
    assert post(server, f"{log}/{first + 1}/dismiss", cookie).headers["Location"] == f"{log}?done=dismissed"
    assert post(server, f"{log}/dismiss-all", cookie).status_code == 303

    assert seed.rows("SELECT state FROM deliveries ORDER BY id") == [("waiting",), ("dismissed",), ("dismissed",)]
    assert "Dismiss all failed" not in page(server, log, cookie).text


def test_dismiss_all_covers_every_failed_delivery_of_the_user_and_no_other(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    hers = seed.rule(seed.project("hers", created_by=ada))
    for _ in range(230):
        seed.delivery(seed.firing(hers))
    foreign = seed.delivery(seed.firing(1))

    post(server, "/settings/alerts/deliveries/dismiss-all", seed.session(ada))

    assert seed.rows("SELECT id FROM deliveries WHERE state = 'failed'") == [(foreign,)]


def test_the_history_of_an_issue_names_the_notified_channels(server: Server, seed: Seed) -> None:
    issue = seed.issue(seed.project("shop"), "f00d", first_seen_ms=NOW_MS - 9_000_000)
    alone, in_digest = seed.firing(1, issue_id=issue, rule_name="First"), seed.firing(1, issue_id=issue, signal_id=2)
    digest = seed.firing(1, rule_type="digest", rule_name="First")
    seed.db.execute("UPDATE alert_firings SET digest_id = ? WHERE id = ?", (digest, in_digest))
    seed.delivery(alone, "sent", sent_at_ms=NOW_MS - 7_200_000, target="one.example")
    seed.delivery(alone, "sent", sent_at_ms=NOW_MS - 7_200_000, target="two.example")
    seed.delivery(alone, "failed", target="three.example")
    seed.delivery(digest, "sent", sent_at_ms=NOW_MS - 3_600_000, target="one.example")

    activity = words(page(server, "/issues/SHOP-1", seed.session())).rpartition("Activity")[2]

    assert activity.startswith(
        " First seen in 1.0 , 2 h ago"
        " Alert sent to Webhook one.example, Webhook two.example by First , 2 h ago"
        " Alert sent to Webhook one.example by a rule , 1 h ago"
    )
