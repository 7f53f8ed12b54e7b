"""Addresses of the alert pages."""

from __future__ import annotations

ALERTS_PATH = "/alerts"
NEW_PATH = f"{ALERTS_PATH}/new"
PREVIEW_PATH = f"{ALERTS_PATH}/preview"
CHANNELS_PATH = f"{ALERTS_PATH}/channels"
NEW_CHANNEL_PATH = f"{CHANNELS_PATH}/new"
LOG_PATH = f"{ALERTS_PATH}/deliveries"
OLD_PATH = "/settings/alerts"  # of messages sent before the pages moved


def rule_path(rule_id: int) -> str:
    return f"{ALERTS_PATH}/{rule_id}"


def channel_path(channel_id: int) -> str:
    return f"{CHANNELS_PATH}/{channel_id}"
