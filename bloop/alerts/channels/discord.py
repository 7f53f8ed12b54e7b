"""Discord, through a channel's webhook. `allowed_mentions` prevents the text from mentioning anyone.

Discord refuses an embed of more than 6000 characters, escapes included; the limits below add up to less.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bloop.alerts.channels import text
from bloop.alerts.channels.delivery import Delivery, json_object
from bloop.alerts.channels.fields import Fields, host_of, url_hint
from bloop.alerts.channels.results import Result, result_of_answer
from bloop.alerts.message import AlertMessage

COLOUR = 0xC0392B
CALM_TYPES = frozenset(("test", "digest"))
CALM_COLOUR = 0x7F8C8D
DESCRIPTION_CHARS_MAX = 3000
VALUE_CHARS_MAX = 300

_MARKDOWN = re.compile(r"([\\*_~`|>\[\]()#<@:])")


def check(fields: Fields) -> dict[str, Any]:
    fields.reject_unknown("webhook_url")
    return {"webhook_url": fields.url("webhook_url")}


def target(config: Mapping[str, Any]) -> str:
    return host_of(config["webhook_url"])


def redacted(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"webhook_url": url_hint(config["webhook_url"])}


def send(config: Mapping[str, Any], message: AlertMessage, delivery: Delivery) -> Result:
    answer = delivery.post_json(config["webhook_url"], payload(message))
    reply = json_object(answer)
    reason, pause = str(reply.get("message") or ""), reply.get("retry_after")
    return result_of_answer(answer, delivery.now_s(), reason=reason, pause=pause)


def payload(message: AlertMessage) -> dict[str, Any]:
    lines = [_escaped(text.sentence(message)), *(f"• {_escaped(line)}" for line in text.more_lines(message))]
    embed = {
        "title": _cut(_escaped(text.headline(message)), 256),
        "description": _cut("\n".join(lines), DESCRIPTION_CHARS_MAX),
        "color": CALM_COLOUR if message.rule_type in CALM_TYPES else COLOUR,
        "timestamp": datetime.fromtimestamp(message.at_ms / 1000, UTC).isoformat(),
        "fields": [
            {"name": fact.label, "value": _cut(_escaped(fact.value), VALUE_CHARS_MAX), "inline": True}
            for fact in text.facts(message)
        ],
    }
    if message.url.startswith(("http://", "https://")):
        embed["url"] = message.url
    return {"username": "bloop", "embeds": [embed], "allowed_mentions": {"parse": []}}


def _escaped(content: str) -> str:
    return _MARKDOWN.sub(r"\\\1", content)


def _cut(escaped: str, chars_max: int) -> str:
    """Truncate without leaving half an escape at the end."""
    return escaped if len(escaped) <= chars_max else escaped[: chars_max - 1].rstrip("\\") + "…"
