"""Telegram, through a bot. Every URL holds its token, so URLs are never shown.

`api_url` is for a self-hosted Bot API server.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from bloop.alerts.channels import text
from bloop.alerts.channels.delivery import Delivery, json_object
from bloop.alerts.channels.fields import HIDDEN, Fields, drop_empty, url_hint
from bloop.alerts.channels.results import Result, result_of_answer, result_of_refusal
from bloop.alerts.message import AlertMessage
from bloop.base.errors import InvalidField

API_URL = "https://api.telegram.org"
VISIBLE_UNITS_MAX = 3600  # of the 4096 Telegram accepts, less headline and link

_TOKEN = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{20,100}")
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{3,64}")
_THREAD = re.compile(r"[0-9]{1,18}")


def check(fields: Fields) -> dict[str, Any]:
    fields.reject_unknown("bot_token", "chat_id", "thread_id", "api_url")
    token, chat, thread = fields.required_text("bot_token"), fields.required_text("chat_id"), fields.text("thread_id")
    if not _TOKEN.fullmatch(token):
        raise InvalidField("config.bot_token", "bot_token must be as BotFather gives it: 123456:ABC…")
    if not _CHAT.fullmatch(chat):
        raise InvalidField("config.chat_id", "chat_id must be a number such as -1001234567890, or @name of a channel")
    if thread and not _THREAD.fullmatch(thread):
        raise InvalidField("config.thread_id", "thread_id must be the number of a topic")
    api_url = fields.url_or("api_url", "").rstrip("/")
    if "?" in api_url or "#" in api_url:
        raise InvalidField("config.api_url", "invalid channel URL: it must end before any ? or #")
    return drop_empty({"bot_token": token, "chat_id": chat, "thread_id": thread, "api_url": api_url})


def target(config: Mapping[str, Any]) -> str:
    return f"chat {config['chat_id']}"


def redacted(config: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: config.get(name) for name in ("chat_id", "thread_id")}
    bot = str(config["bot_token"]).partition(":")[0]
    own_server = url_hint(config["api_url"]) if config.get("api_url") else None
    return drop_empty({"bot_token": f"{bot}:{HIDDEN}", **shown, "api_url": own_server})


def send(config: Mapping[str, Any], message: AlertMessage, delivery: Delivery) -> Result:
    url = f"{config.get('api_url') or API_URL}/bot{config['bot_token']}/sendMessage"
    answer = delivery.post_json(url, payload(config, message))
    reply = json_object(answer)
    reason = str(reply.get("description") or "")
    if 200 <= answer.status < 300 and reply.get("ok") is False:
        return result_of_refusal(answer, reason or "that it was not sent")
    parameters = reply.get("parameters")
    pause = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return result_of_answer(answer, delivery.now_s(), reason=reason, pause=pause)


def payload(config: Mapping[str, Any], message: AlertMessage) -> dict[str, Any]:
    rest = [text.sentence(message), *(f"• {line}" for line in text.more_lines(message))]
    rest += [f"{fact.label}: {fact.value}" for fact in text.facts(message)]
    lines = [f"<b>{html.escape(text.no_mentions(text.headline(message)))}</b>", *map(html.escape, _fitting(rest))]
    if message.url:
        lines.append(f'<a href="{html.escape(message.url)}">{html.escape(text.link_label(message))}</a>')
    body: dict[str, Any] = {
        "chat_id": config["chat_id"],
        "text": "\n".join(lines),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    if config.get("thread_id"):
        body["message_thread_id"] = int(config["thread_id"])
    return body


def _fitting(lines: list[str]) -> list[str]:
    """The first lines that fit. Telegram counts visible UTF-16 units."""
    kept, units_left = [], VISIBLE_UNITS_MAX
    for line in map(text.no_mentions, lines):
        units_left -= len(line.encode("utf-16-le")) // 2 + 1
        if units_left < 0:
            break
        kept.append(line)
    return kept
