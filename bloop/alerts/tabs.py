"""The tabs of the alert pages. Pure."""

from __future__ import annotations

from bloop.alerts.places import ALERTS_PATH, CHANNELS_PATH, LOG_PATH
from bloop.site.contexts import TabLink


def alert_tabs(failed: int, *, current: str) -> tuple[TabLink, ...]:
    """`failed` is how many deliveries failed and were neither retried nor dismissed."""
    return (
        TabLink("Rules", ALERTS_PATH, None, current == ALERTS_PATH),
        TabLink("Channels", CHANNELS_PATH, None, current == CHANNELS_PATH),
        TabLink("Delivery log", LOG_PATH, failed or None, current == LOG_PATH),
    )
