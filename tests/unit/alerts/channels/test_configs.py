"""CHANNEL-1 and CHANNEL-3: what may be stored of a channel, and what is ever shown of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bloop.alerts import channels
from bloop.base.config import Alerting, Settings
from bloop.base.errors import InvalidField

SLACK = "https://hooks.slack.com/services/T00000000/B00000000/hunter2hunter2xXyZ"
TOKEN = "123456:AAhunter2hunter2hunter2hunter2hunt"
WEBHOOK = {
    "url": "https://example.com/hooks/hunter2hunter2hunter2xXyZ",
    "signing_secret": "hunter2hunter2hunter2",
    "headers": {"Authorization": "Bearer hunter2"},
    "secrets": {"routing_key": "hunter2"},
    "template": '{"key": {{ secrets.routing_key|tojson }}, "text": {{ text|tojson }}}',
    "content_type": "application/json",
}
FORBIDDEN = ["", "Bad Name", "Bad:Name", "Bad\r\nName", "Ünï", "Host", "Idempotency-Key", "Content-Type", "User-Agent"]
FORBIDDEN += ["content-length", "Transfer-Encoding", "Connection", "Proxy-Authorization", "Webhook-Signature"]
# type → a config with all that it can have, as it is given, stored and shown
GOOD: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "slack": (
        {"webhook_url": f"  {SLACK} "},
        {"webhook_url": SLACK},
        {"webhook_url": "https://hooks.slack.com/…xXyZ"},
        "hooks.slack.com",
    ),
    "discord": (
        {"webhook_url": "https://discord.com/api/webhooks/1/hunter2hunter2"},
        {"webhook_url": "https://discord.com/api/webhooks/1/hunter2hunter2"},
        {"webhook_url": "https://discord.com/…ter2"},
        "discord.com",
    ),
    "teams": (
        {"webhook_url": "https://prod.logic.azure.com:443/workflows/x?sig=hunter2hunter2xXyZ"},
        {"webhook_url": "https://prod.logic.azure.com:443/workflows/x?sig=hunter2hunter2xXyZ"},
        {"webhook_url": "https://prod.logic.azure.com/…xXyZ"},
        "prod.logic.azure.com",
    ),
    "telegram": (
        {"bot_token": TOKEN, "chat_id": "-100123", "thread_id": "7", "api_url": "https://bots.example.com/"},
        {"bot_token": TOKEN, "chat_id": "-100123", "thread_id": "7", "api_url": "https://bots.example.com"},
        {"bot_token": "123456:…", "chat_id": "-100123", "thread_id": "7", "api_url": "https://bots.example.com/…"},
        "chat -100123",
    ),
    "email": (
        {"to": " ops@Example.com ,dev+bloop@bücher.example. "},
        {"to": "ops@example.com, dev+bloop@xn--bcher-kva.example"},
        {"to": "ops@example.com, dev+bloop@xn--bcher-kva.example"},
        "ops@example.com, dev+bloop@xn--bcher-kva.example",
    ),
    "webhook": (
        WEBHOOK,
        WEBHOOK,
        {
            "url": "https://example.com/…xXyZ",
            "signing_secret": "…",
            "headers": {"Authorization": "…"},
            "secrets": {"routing_key": "…"},
            "template": WEBHOOK["template"],
            "content_type": "application/json",
        },
        "example.com",
    ),
}


def refusal(channel_type: str, config: dict[str, Any], settings: Settings | None = None) -> tuple[str, str]:
    """Path and reason."""
    with pytest.raises(InvalidField) as caught:
        channels.check(channel_type, config, settings or Settings())
    return caught.value.name, str(caught.value)


def test_every_channel_is_tried_here():
    assert set(GOOD) == set(channels.CHANNELS)


@pytest.mark.parametrize("channel_type", GOOD)
def test_good_config_is_stored_trimmed_and_without_its_type(channel_type: str):
    given, stored, _, _ = GOOD[channel_type]

    assert channels.check(channel_type, {**given, "type": channel_type}, Settings()) == stored
    assert channels.check(channel_type, stored, Settings()) == stored
    assert orjson.loads(orjson.dumps(stored)) == stored


@pytest.mark.parametrize("channel_type", GOOD)
def test_nothing_secret_is_shown(channel_type: str):
    _, stored, shown, whom = GOOD[channel_type]

    assert channels.redacted(channel_type, stored) == shown
    assert channels.target(channel_type, stored) == whom
    assert "hunter2" not in f"{shown} {whom}"


@pytest.mark.parametrize("channel_type", GOOD)
def test_field_that_nobody_knows_is_refused(channel_type: str):
    path, reason = refusal(channel_type, {**GOOD[channel_type][0], "secrt": "x"})

    assert path == "config.secrt"
    assert "unknown field; known: " in reason


@pytest.mark.parametrize(
    ("channel_type", "field"),
    [
        ("slack", "webhook_url"),
        ("discord", "webhook_url"),
        ("teams", "webhook_url"),
        ("webhook", "url"),
        ("telegram", "bot_token"),
        ("telegram", "chat_id"),
    ],
)
@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_needed_field_is_asked_for(channel_type: str, field: str, nothing: str | None):
    assert refusal(channel_type, {**GOOD[channel_type][0], field: nothing}) == (
        f"config.{field}",
        f"{field} is required",
    )


@pytest.mark.parametrize(("channel_type", "field"), [("slack", "webhook_url"), ("webhook", "url"), ("email", "to")])
@pytest.mark.parametrize("value", [7, True, ["https://example.com/"], {"a": "b"}])
def test_text_of_another_kind_is_refused(channel_type: str, field: str, value: Any):
    assert refusal(channel_type, {field: value}) == (f"config.{field}", f"{field} must be a string")


@pytest.mark.parametrize(
    ("channel_type", "field"), [("slack", "webhook_url"), ("webhook", "url"), ("telegram", "api_url")]
)
@pytest.mark.parametrize(
    "url",
    [
        "hooks.slack.com/services/x",
        "ftp://example.com/",
        "https://user:hunter2@example.com/",
        "http://localhost:9000/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest",
        "https://example.com:25/",
    ],
)
def test_url_that_can_never_be_sent_to_is_refused_when_it_is_typed_in(channel_type: str, field: str, url: str):
    path, reason = refusal(channel_type, {**GOOD[channel_type][0], field: url})

    assert path == f"config.{field}"
    assert reason.startswith("invalid channel URL: ")
    assert "hunter2" not in reason


def test_private_url_is_taken_where_the_operator_allows_it():
    settings = Settings(alerting=Alerting(allowed_hosts=("10.0.0.0/8", "localhost")))

    for url in ("http://10.1.2.3:8065/hooks/x", "http://localhost:9000/"):
        assert channels.check("webhook", {"url": url}, settings) == {"url": url}


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ops",
        "@example.com",
        "ops@",
        "ops@@example.com",
        "ops@exam ple.com",
        "ops@example.com\r\nBcc: all@example.com",
        "ops@example.com,",
        "Ops <ops@example.com>",
        "a" * 65 + "@example.com",
        f"a@{'a.' * 150}com",
        "ops@[127.0.0.1]",
        "öps@example.com",
        '"o p"@example.com',
        "ops@-example.com",
    ],
)
def test_what_is_no_address_is_refused_in_the_words_clients_know(address: str):
    path, reason = refusal("email", {"to": address})

    assert path == "config.to"
    assert reason in ("invalid email address", "to must be one line")


def test_mail_may_go_to_ten():
    assert channels.check("email", {"to": ",".join(f"p{n}@example.com" for n in range(10))}, Settings())
    assert "at most 10" in refusal("email", {"to": ",".join(f"p{n}@example.com" for n in range(11))})[1]


def test_mail_channel_may_be_made_before_mail_is_set_up():
    assert channels.check("email", {"to": "ops@example.com"}, Settings()) == {"to": "ops@example.com"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bot_token", "hunter2"),
        ("bot_token", f"{TOKEN}/../getUpdates"),
        ("chat_id", "ops"),
        ("chat_id", "12 34"),
        ("thread_id", "-7"),
        ("api_url", "https://bots.example.com/?x"),
    ],
)
def test_telegram_field_of_the_wrong_shape_is_refused_without_repeating_it(field: str, value: str):
    path, reason = refusal("telegram", {**GOOD["telegram"][0], field: value})

    assert path == f"config.{field}"
    assert value not in reason


@pytest.mark.parametrize("name", FORBIDDEN)
def test_header_that_is_ours_or_none_is_refused(name: str):
    assert refusal("webhook", {**WEBHOOK, "headers": {name: "x"}})[0] == "config.headers"


@pytest.mark.parametrize("value", ["", " x", "x ", "a\r\nX-Evil: 1", "a\nb", "ü", "a\0b"])
def test_header_value_that_is_more_than_a_line_is_refused_without_repeating_it(value: str):
    path, reason = refusal("webhook", {**WEBHOOK, "headers": {"X-Own": value}})

    assert path == "config.headers.X-Own"
    assert "X-Evil" not in reason


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("headers", "Authorization: x"),
        ("headers", {"X-A": 7}),
        ("headers", {f"X-{n}": "x" for n in range(21)}),
        ("headers", {"X-A": "x" * 2049}),
        ("secrets", {"Routing-Key": "x"}),
        ("secrets", {f"k{n}": "x" for n in range(11)}),
        ("signing_secret", "short"),
        ("signing_secret", "whsec_not base64!"),
        ("signing_secret", "whsec_c2hvcnQ="),
        ("content_type", "json"),
        ("content_type", "text/html; charset=latin-1"),
        ("template", "x" * 8193),
    ],
)
def test_webhook_field_of_the_wrong_shape_is_refused(field: str, value: Any):
    assert refusal("webhook", {**WEBHOOK, field: value})[0] == f"config.{field}"


@pytest.mark.parametrize("field", ["content_type", "secrets"])
def test_field_that_needs_a_template_is_refused_without_one(field: str):
    assert refusal("webhook", {"url": WEBHOOK["url"], field: WEBHOOK[field]}) == (
        f"config.{field}",
        f"{field} goes with a template",
    )


def test_channel_that_does_not_exist_is_refused_with_those_that_do():
    path, reason = refusal("pager", {})

    assert path == "config.type"
    assert "slack, webhook, email" in reason


def test_fallbacks_are_what_the_settings_name():
    both = Settings(alerting=Alerting(slack_webhook_url=SLACK, webhook_url=WEBHOOK["url"]))

    assert channels.fallbacks(Settings()) == []
    assert channels.fallbacks(both) == [("slack", {"webhook_url": SLACK}), ("webhook", {"url": WEBHOOK["url"]})]
