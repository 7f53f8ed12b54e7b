"""The pages about alerts over a real database: a rule as one form, its channels, previews, the log."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from falcon import testing

from bloop.alerts.deliveries.read import count_unseen_failures
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


# Rules


def test_the_form_creates_a_rule_that_the_list_describes(server: Server, seed: Seed) -> None:
    seed.project("shop")
    cookie = seed.session()

    made = post(server, "/alerts", cookie, **THRESHOLD)

    assert (made.status_code, made.headers["Location"]) == (303, "/alerts/3?done=made-silent")
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
    described = "more than 100 events in 5 min of route /checkout Shop, environment production, source api No channel"
    assert described in words(page(server, "/alerts", cookie))
    shown = page(server, "/alerts/3?done=made", cookie)
    assert [value_of(shown, name) for name in ("threshold", "window_minutes", "cooldown_minutes")] == [
        "100",
        "5",
        "1.5",
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": "x" * 101}, "name must be at most 100 characters"),
        ({"fingerprint": "SHOP-99"}, "issue SHOP-99 not found"),
        ({"new_type": "slack", "new_address": "http://10.0.0.1/x"}, "invalid channel URL"),
        ({"channel-99": "on"}, "channel 99 not found"),
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

    answer = post(server, "/alerts", seed.session(), **THRESHOLD | typed)

    assert answer.status_code == 400
    assert said in words(answer)
    assert value_of(answer, "route") == "/checkout"
    assert len(list_rules(seed.db)) == 2


def test_a_rule_is_changed_where_it_stands(server: Server, seed: Seed) -> None:
    seed.project("shop")
    cookie = seed.session()
    post(server, "/alerts", cookie, **THRESHOLD)

    changed = THRESHOLD | {"name": "Other", "type": "spike", "multiplier": "2.5", "compare_minutes": "10"}
    answer = post(server, "/alerts/3", cookie, **changed | {"baseline_minutes": "60", "environment": ""})

    assert answer.headers["Location"] == "/alerts/3?done=saved"
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

    unnamed = post(server, "/alerts", cookie, type="new_issue", project="shop", do="preview")
    stored = post(server, "/alerts/2", cookie, name="Changed", type="new_issue", do="preview")
    alone = post(server, "/alerts/preview", cookie, type="new_issue", project="shop")
    quiet = post(server, "/alerts/2/preview", cookie, type="regression")
    unready = post(server, "/alerts/preview", cookie, type="threshold", threshold="many")

    for answer in (unnamed, stored, alone):
        assert "Would have fired 1 time in the last 7 days" in words(answer)
        assert 'href="/issues/SHOP-1"' in answer.text
    assert value_of(stored, "name") == "Changed"
    assert words(quiet) == "Would not have fired in the last 7 days. Its condition was never met in that time."
    assert (unready.status_code, words(unready)) == (200, "The event count must be a number")
    assert "<html" not in alone.text
    assert [rule.name for rule in list_rules(seed.db)] == ["New issues", "Regressions"]


def test_a_rule_is_turned_off_and_on_and_deleted(server: Server, seed: Seed) -> None:
    cookie = seed.session()

    off = post(server, "/alerts/1/enabled", cookie, enabled="off")

    assert "Rule turned off" in words(page(server, off.headers["Location"], cookie))
    assert seed.value("SELECT enabled FROM alert_rules WHERE id = 1") == 0
    post(server, "/alerts/1/enabled", cookie, enabled="on")
    assert seed.value("SELECT enabled FROM alert_rules WHERE id = 1") == 1
    assert post(server, "/alerts/1/enabled", cookie, enabled="maybe").status_code == 400
    assert post(server, "/alerts/1/delete", cookie).headers["Location"] == "/alerts?done=deleted"
    assert page(server, "/alerts/1", cookie).status_code == 404


def test_a_user_who_may_only_read_gets_no_buttons(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    cookie = seed.session(ada)
    hers, foreign = (seed.rule(seed.project(slug, created_by=by)) for slug, by in (("hers", ada), ("others", None)))
    seed.delivery(seed.firing(foreign), channel_id=seed.channel(foreign))

    assert "Delete rule" in page(server, f"/alerts/{hers}", cookie).text
    shown = page(server, f"/alerts/{foreign}", cookie)
    assert "Only admins and the project&#39;s creator can change this rule." in shown.text
    for button in ("Delete rule", "Send test", ">Save<"):
        assert button not in shown.text
    assert "<fieldset disabled>" in shown.text
    assert ">Retry<" not in page(server, "/alerts/deliveries", cookie).text
    assert "All projects</option>" not in page(server, "/alerts/new", cookie).text
    for path, fields in (("", THRESHOLD), ("", {"type": "nonsense"}), ("/delete", {}), ("/test", {})):
        assert post(server, f"/alerts/{foreign}{path}", cookie, **fields).status_code == 403


# Channels of a rule


def test_a_rule_and_its_first_channel_are_created_in_one_form(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    new = {"new_type": "slack", "new_address": "https://hooks.slack.com/services/T/B/s3cret", "new_name": "Team"}

    made = post(server, "/alerts", cookie, type="new_issue", environment="production", project="", **new)

    assert (made.status_code, made.headers["Location"]) == (303, "/alerts/3?done=made")
    rule = get_rule(seed.db, 3)
    assert rule is not None
    assert (rule.name, rule.environment_filter, rule.project_id) == ("New issues in production", "production", None)
    assert seed.rows("SELECT name, channel_type, project_id FROM channels") == [("Team", "slack", None)]
    shown = page(server, "/alerts/3", cookie)
    assert "Notifies Team when a new issue appears in all projects, environment production ." in words(shown)
    assert "s3cret" not in shown.text


def test_a_saved_channel_is_ticked_and_unticked(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    channel = seed.channel(None, name="Team")
    form = {"name": "New issues", "type": "new_issue"}

    post(server, "/alerts/1", cookie, **form, **{f"channel-{channel}": "on"})
    shown = page(server, "/alerts/1", cookie)

    assert seed.rows("SELECT rule_id, channel_id FROM rule_channels") == [(1, channel)]
    assert re.search(rf'name="channel-{channel}" value="on" checked', shown.text)
    post(server, "/alerts/1", cookie, **form)
    assert seed.rows("SELECT * FROM rule_channels") == []
    assert seed.value("SELECT count(*) FROM channels") == 1, "it is saved: it stays"


def test_a_form_that_is_refused_stores_neither_rule_nor_channel(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    seed.channel(None, name="Team")
    new = {"new_type": "slack", "new_address": "https://hooks.slack.com/services/T/B/s3cret", "new_name": "Team"}

    refused = post(server, "/alerts", cookie, type="new_issue", **new)

    assert (refused.status_code, "there is a channel named" in words(refused)) == (409, True)
    assert "s3cret" not in refused.text
    assert (len(list_rules(seed.db)), seed.value("SELECT count(*) FROM channels")) == (2, 1)


def test_a_channel_of_an_ordinary_user_is_for_the_rules_project(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    cookie, shop = seed.session(ada), seed.project("shop", created_by=ada)
    others = seed.channel(None, name="Others", project_id=seed.project("others"))
    for_all = seed.channel(None, name="Everyone")
    new = {"new_type": "email", "new_address": "ada@example.com", f"channel-{for_all}": "on"}

    made = post(server, "/alerts", cookie, type="regression", project="shop", **new)
    foreign = post(server, "/alerts", cookie, type="regression", project="shop", **{f"channel-{others}": "on"})

    assert made.status_code == 303, words(made)
    assert seed.rows("SELECT project_id FROM channels WHERE channel_type = 'email'") == [(shop,)]
    assert [row[0] for row in seed.rows("SELECT channel_id FROM rule_channels")] == [for_all, others + 2]
    assert (foreign.status_code, "channel Others is for rules of Others" in words(foreign)) == (400, True)
    offered = page(server, "/alerts/new", cookie).text
    assert (f'name="channel-{for_all}"' in offered, f'name="channel-{others}"' in offered) == (True, False)


def test_an_issue_can_be_watched_from_its_page(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    seed.issue(seed.project("shop"), "f00d")

    offered = page(server, "/alerts/new?project=shop&issue=SHOP-1", cookie)

    assert [value_of(offered, name) for name in ("name", "fingerprint", "threshold", "cooldown_minutes")] == [
        "SHOP-1", "SHOP-1", "0", "60",
    ]  # fmt: skip
    assert '<option value="shop" selected>' in offered.text
    form = {"name": "SHOP-1", "type": "threshold", "threshold": "0", "window_minutes": "5", "fingerprint": "shop-1"}
    made = post(server, "/alerts", cookie, project="shop", **form)
    rule = get_rule(seed.db, 3)
    assert rule is not None, words(made)
    assert rule.config["fingerprint"] == "f00d"
    assert "any event in 5 min of SHOP-1" in words(page(server, "/alerts", cookie))
    assert value_of(page(server, "/alerts/3", cookie), "fingerprint") == "SHOP-1"
    assert page(server, "/alerts/new?issue=SHOP-9", cookie).status_code == 404


def test_a_fingerprint_that_looks_like_a_short_id_survives_saving(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    rule = seed.rule(None, "regression", '{"fingerprint": "checkout-7"}', name="Watched")

    assert (
        post(server, f"/alerts/{rule}", cookie, name="W", type="regression", fingerprint="checkout-7").status_code
        == 303
    )
    assert seed.value("SELECT config ->> 'fingerprint' FROM alert_rules WHERE id = ?", rule) == "checkout-7"


def test_rules_without_channels_tell_the_fallbacks(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    assert "a new issue appears all projects No channel Alerts are only logged" in words(
        page(server, "/alerts", cookie)
    )
    assert "Notifies No channel when" in words(page(server, "/alerts/1", cookie))

    alerting = Alerting(slack_webhook_url="https://hooks.slack.com/services/T/B/s3cret")
    server.settings = replace(server.settings, alerting=alerting)
    server.__post_init__()

    assert "Slack hooks.slack.com Default channel" in words(page(server, "/alerts", cookie))
    assert "Notifies Slack hooks.slack.com when" in words(page(server, "/alerts/1", cookie))
    assert "s3cret" not in page(server, "/alerts/1", cookie).text
    seed.channel(1)
    assert "Notifies Webhook hooks.example.com when" in words(page(server, "/alerts/1", cookie))
    server.database.close()


@pytest.mark.parametrize("path", ["", "/new?project=shop", "/deliveries?state=failed", "/1?test=3"])
def test_the_old_addresses_lead_to_the_new_ones(server: Server, seed: Seed, path: str) -> None:
    moved = page(server, f"/settings/alerts{path}", seed.session())

    assert (moved.status_code, moved.headers["Location"]) == (308, f"/alerts{path}")


# Channels


def test_a_webhook_is_created_with_its_headers_and_shown_without_secrets(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    typed = {
        "webhook-url": "https://hooks.example.com/secret-path",
        "webhook-headers": "X-Key: secret one\r\n\r\nX-Two: b:c\r\n",
    }

    added = post(server, "/alerts/channels", cookie, type="webhook", name="Pager", **typed)

    assert added.headers["Location"] == "/alerts/channels/1?done=channel-made"
    assert seed.value("SELECT config ->> 'headers' FROM channels") == '{"X-Key":"secret one","X-Two":"b:c"}'
    shown = page(server, "/alerts/channels/1", cookie)
    assert "Receiver hooks.example.com" in words(shown)
    assert "X-Key, X-Two" in words(shown)
    for hidden in ("secret-path", "secret one"):
        assert hidden not in shown.text + page(server, "/alerts/channels", cookie).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "slack", "slack-webhook_url": "http://10.0.0.1/hooks/s3cret"}, "invalid channel URL"),
        ({"type": "webhook", "webhook-url": "https://a.example/s3cret", "webhook-headers": "nonsense"}, "Name: value"),
        ({"type": "email", "email-to": "nobody"}, "invalid email address"),
        ({"type": "telegram", "telegram-bot_token": "s3cret", "telegram-chat_id": "12"}, "bot_token"),
        ({"type": "slack"}, "webhook_url is required"),
        ({"type": "pigeon"}, ""),
    ],
)
def test_an_invalid_channel_shows_the_reason_and_no_secret(
    server: Server, seed: Seed, fields: dict[str, str], said: str
) -> None:
    answer = post(server, "/alerts/channels", seed.session(), name="Mine", **fields)

    assert answer.status_code == 400
    assert said in words(answer)
    assert "s3cret" not in answer.text
    assert value_of(answer, "name") == "Mine"
    assert seed.rows("SELECT * FROM channels") == []


def test_a_template_as_large_as_it_may_be_fits_the_form(server: Server, seed: Seed) -> None:
    template = '{"text": {{ text|tojson }}, "pad": "' + "é" * 4000 + '"}'
    typed = {"webhook-url": "https://hooks.example.com/x", "webhook-template": template}

    added = post(
        server, "/alerts/channels", seed.session(),
        type="webhook", **typed, **{"webhook-content_type": "application/json"},
    )  # fmt: skip

    assert added.status_code == 303, words(added)
    assert seed.value("SELECT config ->> 'template' FROM channels") == template


def test_a_channel_is_renamed_replaced_and_deleted(server: Server, seed: Seed) -> None:
    cookie, channel = seed.session(), seed.channel(1, name="Team")
    path = f"/alerts/channels/{channel}"

    assert post(server, path, cookie, do="rename", name="Everyone").headers["Location"] == f"{path}?done=channel-saved"
    replaced = {"type": "email", "email-to": "a@example.com", "webhook-url": "https://not.example/used"}
    assert post(server, path, cookie, do="replace", **replaced).status_code == 303
    assert seed.rows("SELECT name, channel_type, config FROM channels") == [
        ("Everyone", "email", '{"to":"a@example.com"}')
    ]
    refused = post(server, path, cookie, do="rename", name=" ")
    assert (refused.status_code, "name is required" in words(refused)) == (400, True)
    listed = words(page(server, "/alerts/channels", cookie))
    assert "Everyone Email, a@example.com All projects New issues None yet" in listed
    assert "1 rule stops notifying it." in words(page(server, path, cookie))
    assert post(server, f"{path}/delete", cookie).headers["Location"] == "/alerts/channels?done=channel-deleted"
    assert page(server, path, cookie).status_code == 404


def test_a_user_who_may_not_change_a_channel_sees_it_without_buttons(server: Server, seed: Seed) -> None:
    cookie, channel = seed.session(seed.user("ada")), seed.channel(None, name="Team")

    shown = page(server, f"/alerts/channels/{channel}", cookie)

    assert "Only admins can change a channel for all projects." in words(shown)
    for button in ("Send test", "Delete channel", "Save name", "Replace"):
        assert button not in shown.text
    for path in ("", "/delete", "/test"):
        assert post(server, f"/alerts/channels/{channel}{path}", cookie, name="x").status_code == 403
    assert "New channel" not in page(server, "/alerts/channels", cookie).text
    assert post(server, "/alerts/channels", cookie, type="slack").status_code == 403


def test_a_test_of_a_channel_shows_what_the_receiver_answered(server: Server, seed: Seed) -> None:
    cookie, channel = seed.session(), seed.channel(None, "https://ill.example/x", name="Team")

    with alerts_process(seed, {"ill.example": (503, "ill.example answered 503")}):
        sent = post(server, f"/alerts/channels/{channel}/test", cookie)

    assert sent.headers["Location"] == f"/alerts/channels/{channel}?test=1#test"
    shown = words(page(server, f"/alerts/channels/{channel}?test=1", cookie))
    assert "Webhook ill.example rejected it after 12 ms ill.example answered 503 Answer: upstream is away" in shown
    ada = words(page(server, f"/alerts/channels/{channel}?test=1", seed.session(seed.user("ada"))))
    assert "upstream is away" not in ada, "she may not change it"


def test_a_test_shows_the_answers_of_the_receivers(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    seed.channel(1, "https://well.example/x")
    seed.channel(1, "https://ill.example/x")

    with alerts_process(seed, {"well.example": (204, None), "ill.example": (503, "ill.example answered 503")}):
        sent = post(server, "/alerts/1/test", cookie)

    assert sent.headers["Location"] == "/alerts/1?test=1#test"
    shown = words(page(server, "/alerts/1?test=1", cookie))
    assert "Webhook well.example accepted it after 12 ms 204 Answer: upstream is away" in shown
    assert "Webhook ill.example rejected it after 12 ms ill.example answered 503 Answer: upstream is away" in shown
    assert "accepted it" not in words(page(server, "/alerts/2?test=1", cookie)), "it is not of that rule"


# The log


def test_the_log_shows_answers_and_leads_on(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    issue = seed.issue(seed.project("shop"), "f00d")
    for _ in range(51):
        seed.delivery(
            seed.firing(1, project_id=1, issue_id=issue), "sent", last_status=200, attempts=1, sent_at_ms=NOW_MS
        )
    seed.delivery(seed.firing(2), last_error="nobody listens", last_status=502, attempts=10)

    first = page(server, "/alerts/deliveries", cookie)

    assert first.text.count("data-delivery>") == 50
    assert "502: nobody listens" in words(first)
    assert "200 1 try" in words(first)
    assert 'href="/issues/SHOP-1"' in first.text
    older = html.unescape(re.search(r'rel="next" href="([^"]+)"', first.text)[1])  # type: ignore[index]
    assert page(server, older, cookie).text.count("data-delivery>") == 2
    failed = page(server, "/alerts/deliveries?state=failed", cookie)
    assert failed.text.count("data-delivery>") == 1
    of_rule = page(server, "/alerts/deliveries?rule_id=2", cookie)
    assert (of_rule.text.count("data-delivery>"), "Remove filter Rule Regressions" in words(of_rule)) == (1, True)
    assert page(server, "/alerts/deliveries?state=lost", cookie).status_code == 400


def test_failed_ones_are_sent_again_given_up_and_given_up_together(server: Server, seed: Seed) -> None:
    cookie = seed.session()
    first, *_ = [seed.delivery(seed.firing(1)) for _ in range(3)]
    log = "/alerts/deliveries"

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

    post(server, "/alerts/deliveries/dismiss-all", seed.session(ada))

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


# The mark beside Alerts


def marked(server: Server, cookie: str) -> str:
    """The number beside Alerts in the rail."""
    link = re.search(r'<a class="rail-link" href="/alerts".*?</a>', page(server, "/alerts", cookie).text)
    assert link
    count = re.search(r'rail-count">([^<]*)<', link[0])
    return count[1] if count else ""


def test_a_failure_is_marked_until_this_person_opens_the_log(server: Server, seed: Seed) -> None:
    ada, grace = (seed.session(seed.user(name, is_admin=True)) for name in ("ada", "grace"))
    seed.delivery(seed.firing(1), next_try_at_ms=NOW_MS - 5000)
    seed.delivery(seed.firing(1), next_try_at_ms=NOW_MS - 2 * 86_400_000)  # long ago
    seed.delivery(seed.firing(1), "dismissed", next_try_at_ms=NOW_MS - 5000)
    assert (marked(server, ada), marked(server, grace)) == ("1", "1")

    page(server, "/alerts/deliveries", ada)

    assert (marked(server, ada), marked(server, grace)) == ("", "1")
    seed.delivery(seed.firing(1), next_try_at_ms=NOW_MS + 1)
    assert marked(server, ada) == "1"
    assert count_unseen_failures(seed.db, "another person", NOW_MS + 2 * 86_400_000) == 0, "a day has passed"


def test_the_mark_of_a_removed_account_leaves_with_it(server: Server, seed: Seed) -> None:
    ada = seed.user("ada")
    seed.delivery(seed.firing(1))
    server.now_ms += 1000
    page(server, "/alerts/deliveries", seed.session(ada))
    assert seed.rows("SELECT user_id FROM delivery_log_visits") == [(ada,)]

    seed.db.execute("DELETE FROM webauthn_users WHERE id = ?", (ada,))

    assert seed.rows("SELECT user_id FROM delivery_log_visits") == []
