"""Microsoft Teams, through a workflow that posts a card. Text is in runs, which Teams does not parse as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts.channels import text
from bloop.alerts.channels.delivery import Delivery
from bloop.alerts.channels.fields import Fields, host_of, url_hint
from bloop.alerts.channels.results import Result, result_of_answer
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
    return result_of_answer(answer, delivery.now_s())


def payload(message: AlertMessage) -> dict[str, Any]:
    body = [_paragraph(text.headline(message), weight="Bolder"), _paragraph(text.sentence(message))]
    body += [_paragraph(f"• {line}") for line in text.more_lines(message)]
    body += [_paragraph(f"{fact.label}: {fact.value}", isSubtle=True, spacing="None") for fact in text.facts(message)]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": text.sentence(message),
        "body": body,
        "msteams": {"width": "Full"},
    }
    if message.url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": text.link_label(message), "url": message.url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _paragraph(content: str, *, spacing: str = "Small", **style: Any) -> dict[str, Any]:
    return {
        "type": "RichTextBlock",
        "spacing": spacing,
        "inlines": [{"type": "TextRun", "text": content, **style}],
    }
