"""An alert from the first click to the receiver: a rule created, tested, fired by a real error, seen in the log; one
that could not be delivered, noticed, sent again. A real bloop, a real Chromium, receivers on this machine."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.harness import BloopServer, event
from tests.chromium import Visit
from tests.receivers import OK, Got, Receiver, answer
from tests.waiting import until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def bloop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BloopServer]:
    server = BloopServer(tmp_path_factory.mktemp("alerts"), BLOOP__ALERTING__ALLOWED_HOSTS="127.0.0.1")
    server.env["BLOOP__AUTH__RP_ORIGIN"] = f"http://localhost:{server.port}"
    try:
        yield server.start()
    finally:
        server.end()


def body_of(got: Got) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(got.body)
    return value


def states(bloop: BloopServer) -> list[str]:
    with bloop.reader() as db:
        return [row[0] for row in db.execute("SELECT state FROM deliveries ORDER BY id")]


def test_a_slack_alert_for_new_production_issues_takes_six_interactions(visit: Visit, bloop: BloopServer) -> None:
    """Counted from the inbox: a click, or a field that is filled, is one."""
    with contextlib.closing(Receiver(OK)) as receiver:
        page = visit("/")

        page.get_by_role("link", name="Alerts", exact=True).first.click()
        page.get_by_role("link", name="New rule").click()
        page.get_by_label("Environment").fill("production")
        page.get_by_label("Webhook URL or email address").fill(receiver.url())  # there is no channel yet: it is open
        page.get_by_role("button", name="Create rule").click()

        expect(page.locator("[data-toast]")).to_contain_text("Rule created.")
        expect(page.locator("h1")).to_have_text("New issues in production")
        expect(page.get_by_text("Notifies")).to_contain_text("Slack 127.0.0.1")
        bloop.send(event("slack", error_type="SlackError", environment="production"))
        until(lambda: receiver.got, "the alert")
        assert "SlackError" in body_of(receiver.got[0])["text"]
        page.get_by_text("Delete", exact=True).click()
        page.get_by_role("button", name="Delete rule").click()
        expect(page.locator("[data-toast]")).to_contain_text("Rule deleted.")


def test_a_rule_is_previewed_and_alerts_about_a_new_issue(visit: Visit, bloop: BloopServer) -> None:
    with contextlib.closing(Receiver(answer(200, b"thank you"))) as receiver:
        page = visit("/alerts/new")
        preview = page.locator("#preview")
        expect(preview).to_contain_text("Would")

        # The form shows the parts of its type, and no others; the preview follows it.
        counts, rises = page.locator("p[data-for=threshold]"), page.locator("p[data-for=spike]")
        expect(counts).to_be_hidden()
        page.get_by_label("Notify when").select_option("threshold")
        expect(counts).to_be_visible()
        expect(rises).to_be_hidden()
        page.get_by_label("Event count", exact=True).fill("")
        expect(preview).to_contain_text("The event count is required")
        page.get_by_label("Notify when").select_option("new_issue")
        expect(preview).to_contain_text("in the last 7 days")

        page.get_by_label("Rule name").fill("Broken in production")
        page.get_by_label("Project", exact=True).locator("visible=true").select_option("default")
        page.get_by_label("Environment").fill("production")
        page.locator("summary", has_text="New channel").click()
        page.get_by_label("Webhook URL or email address").locator("visible=true").fill(receiver.url())
        page.get_by_label("Type", exact=True).select_option("webhook")
        page.get_by_label("Channel name").fill("Pager")
        page.get_by_role("button", name="Create rule").click()
        expect(page.locator("[data-toast]")).to_contain_text("Rule created.")
        rule = page.url.partition("?")[0]

        # A test that really arrives, and what was answered.
        page.get_by_role("button", name="Send test").click()
        expect(page.locator("#test")).to_contain_text("accepted it after")
        expect(page.locator("#test")).to_contain_text("thank you")
        assert [body_of(got)["rule_type"] for got in receiver.got] == ["test"]

        # A new issue: in another environment it is none of this rule's business.
        bloop.send(event("elsewhere", error_type="ElsewhereError", environment="test"))
        bloop.send(event("here", error_type="HereError", environment="production"))
        until(lambda: len(receiver.got) == 2, "the alert")
        request = receiver.got[1]
        body = body_of(request)
        assert (body["rule"], body["error_type"], body["environment"]) == (
            "Broken in production",
            "HereError",
            "production",
        )
        assert body["delivery_id"] == request.headers["idempotency-key"]

        # The log has both, and leads to the issue; the rule's own page says it too.
        until(lambda: states(bloop)[-2:] == ["sent", "sent"], "both in the log as sent")
        page.get_by_role("link", name="Delivery log").click()
        expect(page.locator("[data-delivery]")).to_have_count(2)
        page.get_by_role("link", name=re.compile("HereError")).click()
        expect(page.locator("h1")).to_contain_text("HereError")
        page.goto(rule)
        expect(page.locator("section", has=page.get_by_role("heading", name="Recent alerts"))).to_contain_text("1 sent")
        expect(page.locator("#preview")).to_contain_text("Would have fired 2 times")


def test_a_saved_channel_is_tested_and_used_by_the_next_rule(visit: Visit, bloop: BloopServer) -> None:
    with contextlib.closing(Receiver(answer(404, b"no such hook"), OK)) as receiver:
        page = visit("/alerts/channels/new")
        page.get_by_label("Name (optional)").fill("Team hook")
        page.get_by_label("Type", exact=True).select_option("webhook")
        page.get_by_label("URL", exact=True).locator("visible=true").fill(receiver.url())
        page.get_by_role("button", name="Create channel").click()

        page.get_by_role("button", name="Send test").click()
        expect(page.locator("#test")).to_contain_text("rejected it after")
        expect(page.locator("#test")).to_contain_text("no such hook")

        page.goto(f"http://localhost:{bloop.port}/alerts/new")
        page.get_by_role("checkbox", name=re.compile("Team hook")).check()
        page.get_by_label("Notify when").select_option("regression")
        page.get_by_role("button", name="Create rule").click()
        expect(page.get_by_text("Notifies")).to_contain_text("Team hook when an issue regresses")
        page.goto(f"http://localhost:{bloop.port}/alerts/channels")
        expect(page.locator("[data-channel]", has_text="Team hook")).to_contain_text("Regressions")


def test_a_failed_delivery_is_reported_and_sent_again_without_javascript(visit: Visit, bloop: BloopServer) -> None:
    with contextlib.closing(Receiver(answer(404), OK)) as receiver:
        page = visit("/alerts/new", java_script_enabled=False)
        page.get_by_label("Rule name").fill("Many")
        page.get_by_label("Notify when").select_option("threshold")
        page.get_by_label("Event count", exact=True).fill("2")
        page.get_by_role("button", name="Preview last 7 days").click()
        expect(page.locator("#preview")).to_contain_text("in the last 7 days")
        page.locator("summary", has_text="New channel").click()
        page.get_by_label("Webhook URL or email address").fill(receiver.url())
        page.get_by_label("Type", exact=True).select_option("webhook")
        page.get_by_role("button", name="Create rule").click()
        expect(page.locator("[data-toast]")).to_contain_text("Rule created.")
        rule = page.url.partition("?")[0]

        bloop.send(*[event(f"many-{number}", error_type="ManyError") for number in range(3)])
        until(lambda: receiver.got, "the alert")
        assert body_of(receiver.got[0])["value"] >= 3
        until(lambda: "deliveries_failing" in bloop.request("GET", "/health").body.decode(), "the trouble in /health")

        page.goto(f"http://localhost:{bloop.port}/")
        page.get_by_role("link", name="How to fix").click()
        failed = page.locator("[data-delivery]")
        expect(failed).to_have_count(1)
        expect(failed).to_contain_text("404")
        failed.get_by_role("button", name="Retry").click()
        expect(page.locator("[data-toast]")).to_contain_text("Retrying.")
        until(lambda: len(receiver.got) == 2, "the second try")
        assert receiver.got[0].headers["idempotency-key"] == receiver.got[1].headers["idempotency-key"]
        until(lambda: "deliveries_failing" not in bloop.request("GET", "/health").body.decode(), "the end of it")

        page.goto(rule)
        page.get_by_text("Delete", exact=True).click()
        page.get_by_role("button", name="Delete rule").click()
        expect(page.locator("[data-toast]")).to_contain_text("Rule deleted.")
        expect(page.get_by_role("link", name="Many")).to_have_count(0)


def test_the_command_line_previews_a_rule_and_shows_the_log(bloop: BloopServer) -> None:
    with contextlib.closing(Receiver(OK)) as receiver:
        bloop.cli("alert", "enable", "New issues")
        with bloop.reader() as db:
            (rule_id,) = db.execute("SELECT id FROM alert_rules WHERE name = 'New issues'").fetchone() or (0,)
        refused = bloop.cli("alert", "test", str(rule_id), check=False)
        assert (refused.returncode, "has no channel" in refused.stderr) == (1, True)

        token = bloop.token(scopes="alerts:read,alerts:write")
        headers = {"Authorization": f"Bearer {token}"}
        rule = bloop.request("POST", "/v1/alerts", b'{"name": "By token", "rule_type": "regression"}', headers).json
        config = {"config": {"type": "webhook", "url": receiver.url()}}
        path = f"/v1/alerts/{rule['id']}"
        assert bloop.request("POST", f"{path}/channels", json.dumps(config).encode(), headers).status == 200
        assert bloop.cli("alert", "test", "By token").returncode == 0

        assert bloop.request("POST", f"{path}/test", b"", headers).json["sent"] is True
        assert len(receiver.got) == 2
        log = json.loads(bloop.cli("delivery", "list", "--json").stdout)
        assert [row["rule"] for row in log[:2]] == ["By token", "By token"]
