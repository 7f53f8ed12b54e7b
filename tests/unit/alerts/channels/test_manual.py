"""docs/alerts.md: what it shows is what is sent, and what it says to copy works."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from bloop.alerts import channels
from bloop.alerts.channels import webhook
from bloop.alerts.channels.template import FILTERS
from bloop.base.config import Settings
from tests.unit.alerts.channels.samples import DIGEST, KEY, NEW_ISSUE, THRESHOLD

MANUAL = (Path(__file__).parents[4] / "docs" / "alerts.md").read_text(encoding="utf-8")
CHANNELS = MANUAL[MANUAL.index("\n## Channels\n") :]


def block(language: str, holding: str) -> str:
    """The one code block of the manual's part about channels that has `holding` in it."""
    found = re.findall(rf"^```{language}\n(.*?)^```", CHANNELS, re.DOTALL | re.MULTILINE)
    (only,) = [text for text in found if holding in text]
    return only


def curl_body(text: str) -> Any:
    return json.loads(re.search(r"<<'EOF'\n(.*)\nEOF", text, re.DOTALL)[1])  # type: ignore[index]


def test_webhook_object_of_the_manual_has_the_members_that_are_sent():
    shown, sent = orjson.loads(block("json", "delivery_id")), webhook.payload(NEW_ISSUE, KEY)

    assert list(shown) == list(sent)
    assert list(shown["issue"]) == list(sent["issue"])
    assert [type(value) for value in shown.values()] == [type(value) for value in sent.values()]


def test_verification_of_the_manual_takes_what_is_signed_and_nothing_else():
    scope: dict[str, Any] = {}
    exec(block("python", "is_from_bloop"), scope)
    verify, secret, body = scope["is_from_bloop"], "0123456789abcdef", b'{"a": 1}'
    headers = webhook.signature(secret, KEY, int(time.time()), body)
    old = webhook.signature(secret, KEY, int(time.time()) - 3600, body)

    assert verify(secret.encode(), headers, body)
    assert not verify(secret.encode(), headers, body + b" ")
    assert not verify(b"another secret here", headers, body)
    assert not verify(secret.encode(), {**headers, "webhook-id": "other"}, body)
    assert not verify(secret.encode(), old, body)


@pytest.mark.parametrize("message", [NEW_ISSUE, THRESHOLD, DIGEST], ids=["issue", "count", "digest"])
def test_template_of_the_manual_can_be_pasted(message):
    config = curl_body(block("sh", "pagerduty"))["config"]
    stored = channels.check("webhook", config, Settings())

    sent = orjson.loads(webhook.render(stored, webhook.payload(message, KEY)))
    assert sent["payload"]["summary"] == message.text
    assert sent["routing_key"] == config["secrets"]["routing_key"]


def test_manual_names_every_filter_every_channel_and_every_field():
    assert [name for name in FILTERS - {"d", "e"} if f"`{name}`" not in CHANNELS] == []
    assert [kind for kind in channels.CHANNELS if f"| `{kind}` |" not in CHANNELS] == []
    assert [name for name in webhook.NAMES if f"`{name}`" not in CHANNELS] == []
