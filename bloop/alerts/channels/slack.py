"""Slack, and services that accept Slack's messages: Mattermost, Rocket.Chat, Discord's /slack address.

`text` is complete without the blocks: phones and the other services show it alone. `&`, `<` and `>` are Slack's only
special characters; without a `<` nothing is a link, a name or `<!channel>`. Unfurling is off, so that no server fetches
a link in an error message. A block holds 3000 characters after escaping, so each line is a block of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts.channels import text
from bloop.alerts.channels.delivery import Delivery, json_object
from bloop.alerts.channels.fields import Fields, host_of, url_hint
from bloop.alerts.channels.results import Result, result_of_answer, result_of_refusal
from bloop.alerts.message import AlertMessage


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
    if 200 <= answer.status < 300 and (reply.get("ok") is False or reply.get("success") is False):
        return result_of_refusal(answer, str(reply.get("error") or "that it was not posted"))
    return result_of_answer(answer, delivery.now_s(), reason=_reason_code(answer.body))


def payload(message: AlertMessage) -> dict[str, Any]:
    lines = [f"*{_escaped(text.headline(message))}*", _escaped(text.sentence(message))]
    lines += [f"• {_escaped(line)}" for line in text.more_lines(message)]
    facts = [_markdown(f"{fact.label}: {_escaped(fact.value)}") for fact in text.facts(message)]
    link = f"<{_escaped(message.url).replace('|', '%7C')}|{_escaped(text.link_label(message))}>"
    blocks = [*map(_section, lines)]
    if facts:
        blocks.append({"type": "context", "elements": facts})
    if message.url:
        blocks.append(_section(link))
    return {"text": "\n".join(lines), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _section(content: str) -> dict[str, Any]:
    return {"type": "section", "text": _markdown(content)}


def _markdown(content: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": content, "verbatim": True}


def _escaped(content: str) -> str:
    content = content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.no_mentions(content.replace("](", "]\u200b("))  # Mattermost would make it a link


def _reason_code(body: bytes) -> str:
    """Slack's reason code (`no_service`); anything longer than one word becomes ""."""
    word = body[:41].decode("ascii", "replace").strip()
    return word if word.replace("_", "").isalpha() and len(word) <= 40 and word.isascii() else ""
