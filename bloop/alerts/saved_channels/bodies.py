"""Parses the JSON body of a channel. Pure, apart from the settings that say which addresses are allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bloop.alerts import channels
from bloop.base.config import Settings
from bloop.base.errors import InvalidField


class CheckedConfig(NamedTuple):
    """A type and a config as `alerts.channels.check` returned it."""

    channel_type: str
    config: Mapping[str, Any]

    @property
    def target(self) -> str:
        return channels.target(self.channel_type, self.config)


def parse_channel_config(config: Any, settings: Settings) -> CheckedConfig:
    """`config` as in a body: an object with its `type`. Raises: InvalidField."""
    if not isinstance(config, dict):
        raise InvalidField("config", "config must be an object")
    channel_type = config.get("type")
    if not isinstance(channel_type, str):
        raise InvalidField("config.type", "config.type is required")
    fields = {name: value for name, value in config.items() if name != "type"}
    return CheckedConfig(channel_type, channels.check(channel_type, fields, settings))
