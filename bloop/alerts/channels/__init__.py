"""Channels: the ways in which somebody is told about an alert. A file per kind, all of one shape, listed in CHANNELS.

C1  `check` is the only way a config comes to be stored; the others expect what it returned (without `type`).
C2  `send` raises nothing, whatever a receiver does or a config turns out to be: it says what became of the attempt.
C3  Secrets go in and never come out: `target` and `redacted` are what people and programs are shown, and no detail of a
    result or line of a log holds a path, a token or a password.
C4  What is sent is somebody else's text: each channel escapes it for its receiver, cuts it, and lets it call nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bloop.alerts.channels import discord, email, slack, teams, telegram, webhook
from bloop.alerts.channels.delivery import Delivery
from bloop.alerts.channels.fields import Fields
from bloop.alerts.channels.results import Result
from bloop.alerts.message import AlertMessage
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import InvalidField, OutboundRefused, Unreachable
from bloop.outbound.sockets import Outbound

__all__ = ["CHANNELS", "Result", "check", "fallbacks", "redacted", "send", "target"]


_UNUSABLE = {"action": "channel_unusable"}

log = logging.getLogger(__name__)


class Channel(Protocol):
    """What each of the files has."""

    def check(self, fields: Fields) -> dict[str, Any]: ...
    def target(self, config: Mapping[str, Any]) -> str: ...
    def redacted(self, config: Mapping[str, Any]) -> dict[str, Any]: ...
    def send(self, config: Mapping[str, Any], message: AlertMessage, delivery: Delivery) -> Result: ...


CHANNELS: dict[str, Channel] = {
    "slack": slack,
    "webhook": webhook,
    "email": email,
    "discord": discord,
    "telegram": telegram,
    "teams": teams,
}


def check(channel_type: str, config: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """`config` as it is to be stored: checked, trimmed, without `type`. Nothing is looked up or sent for it.

    Raises:
        InvalidField: names the field, `config.webhook_url` for one.
    """
    if channel_type not in CHANNELS:
        raise InvalidField("config.type", f"channel type must be one of {', '.join(CHANNELS)}")
    return CHANNELS[channel_type].check(Fields(config, Outbound.of(settings)))


def target(channel_type: str, config: Mapping[str, Any]) -> str:
    """Whom it tells, as people may see it: `hooks.slack.com`, `ops@example.com`, `chat -100123`."""
    return CHANNELS[channel_type].target(config)


def redacted(channel_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every secret cut to a hint or to an ellipsis."""
    return CHANNELS[channel_type].redacted(config)


def fallbacks(settings: Settings) -> list[tuple[str, dict[str, Any]]]:
    """Type and config of the channels that are told where a rule has none of its own."""
    slack_url, webhook_url = settings.alerting.slack_webhook_url, settings.alerting.webhook_url
    found: list[tuple[str, dict[str, Any]]] = []
    found += [("slack", {"webhook_url": slack_url})] if slack_url else []
    found += [("webhook", {"url": webhook_url})] if webhook_url else []
    return found


def send(
    channel_type: str,
    config: Mapping[str, Any],
    message: AlertMessage,
    settings: Settings,
    *,
    message_key: str,
    out: Outbound | None = None,
    now_ms: Callable[[], int] = clock.now_ms,
) -> Result:
    """One attempt, over within half a minute. Any thread. `message_key` is the same in every attempt."""
    channel = CHANNELS.get(channel_type)
    if channel is None:
        return Result("failed", "this bloop has no channel of that type")
    delivery = Delivery(settings, out or Outbound.of(settings), message_key, now_ms)
    try:
        return channel.send(config, message, delivery)
    except OutboundRefused as error:
        return Result("failed", str(error))
    except Unreachable as error:
        return Result("retry", str(error))
    except (LookupError, TypeError, ValueError) as error:  # C2: no config that `check` made
        log.warning("a %s channel cannot be used: %s", channel_type, type(error).__name__, extra=_UNUSABLE)
        return Result("failed", "what is stored of this channel cannot be used: make it again")
