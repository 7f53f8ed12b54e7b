"""Slack, and what takes Slack's messages: Mattermost, Rocket.Chat, Discord's /slack address.

`text` says everything by itself: it is what a phone shows and what the others read. `&`, `<` and `>` are Slack's only
special characters; without a `<` nothing is a link, a name or `<!channel>`. Nothing is unfurled: a link in an error
message is not to be fetched by anybody. A block holds 3000 characters after escaping, so each line is a block of its
own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts.channels import text
from bloop.alerts.channels.delivery import Delivery, json_object
from bloop.alerts.channels.fields import Fields, host_of, url_hint
from bloop.alerts.channels.results import Result, of_answer, refused_in_body
from bloop.alerts.message import AlertMessage


def check(fields: Fields) -> dict[str, Any]:
    fields.only("webhook_url")
    return {"webhook_url": fields.url("webhook_url")}


def target(config: Mapping[str, Any]) -> str:
    return host_of(config["webhook_url"])


def redacted(config: Mapping[str, Any]) -> dict[str, Any]:
    return {"webhook_url": url_hint(config["webhook_url"])}


def send(config: Mapping[str, Any], message: AlertMessage, delivery: Delivery) -> Result:
    answer = delivery.post_json(config["webhook_url"], payload(message))
    said = json_object(answer)
    if 200 <= answer.status < 300 and (said.get("ok") is False or said.get("success") is False):
        return refused_in_body(answer, str(said.get("error") or "that it was not posted"))
    return of_answer(answer, delivery.now_s(), reason=_word(answer.body))


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
    return text.no_mentions(content.replace("](", "]\u200b("))  # a link to Mattermost


def _word(body: bytes) -> str:
    """Slack's word for what is wrong (`no_service`); nothing longer than a word is passed on."""
    word = body[:41].decode("ascii", "replace").strip()
    return word if word.replace("_", "").isalpha() and len(word) <= 40 and word.isascii() else ""
