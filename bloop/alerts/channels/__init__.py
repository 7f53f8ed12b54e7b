"""Channels: how alerts are sent. One file per type, all with the functions of `Channel`, listed in CHANNELS.

CHANNEL-1  Only configs that `check` returned are stored; the other functions expect such a config (without `type`).
CHANNEL-2  `send` never raises, whatever the receiver answers and whatever the config holds: it returns a Result.
CHANNEL-3  Secrets are never read back: users and API clients see `target` and `redacted`, and no result or log line
           holds a path, a token or a password.
CHANNEL-4  Messages hold untrusted text: each channel escapes it for its receiver, truncates it, and prevents it from
           mentioning anyone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from bloop.alerts.channels import discord, email, slack, teams, telegram, webhook
from bloop.alerts.channels.delivery import Delivery, secrets_in
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
    """The functions of each channel file."""

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
    """Validate `config`; return it as stored: trimmed, without `type`. Sends nothing and resolves no name.

    Raises:
        InvalidField: names the field, `config.webhook_url` for one.
    """
    if channel_type not in CHANNELS:
        raise InvalidField("config.type", f"channel type must be one of {', '.join(CHANNELS)}")
    return CHANNELS[channel_type].check(Fields(config, Outbound.of(settings)))


def target(channel_type: str, config: Mapping[str, Any]) -> str:
    """The receiver, without secrets: `hooks.slack.com`, `ops@example.com`, `chat -100123`."""
    return CHANNELS[channel_type].target(config)


def redacted(channel_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every secret shortened to a hint or an ellipsis."""
    return CHANNELS[channel_type].redacted(config)


def fallbacks(settings: Settings) -> list[tuple[str, dict[str, Any]]]:
    """Type and config of the default channels, for rules without channels of their own."""
    slack_url, webhook_url = settings.alerting.slack_webhook_url, settings.alerting.webhook_url
    configs: list[tuple[str, dict[str, Any]]] = []
    configs += [("slack", {"webhook_url": slack_url})] if slack_url else []
    configs += [("webhook", {"url": webhook_url})] if webhook_url else []
    return configs


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
    """Make one attempt; takes at most half a minute. Any thread. `message_key` is the same in every attempt."""
    channel = CHANNELS.get(channel_type)
    if channel is None:
        return Result("failed", "this bloop has no channel of that type")
    delivery = Delivery(settings, out or Outbound.of(settings), message_key, now_ms, secrets_in(config))
    try:
        return channel.send(config, message, delivery)
    except OutboundRefused as error:
        return Result("failed", str(error))
    except Unreachable as error:
        return Result("retry", str(error))
    except (LookupError, TypeError, ValueError) as error:  # CHANNEL-2: the config did not come from `check`
        log.warning("%s channel has an invalid config: %s", channel_type, type(error).__name__, extra=_UNUSABLE)
        return Result("failed", "what is stored of this channel cannot be used: make it again")
