"""Times as the commands print them: UTC, to the minute at most."""

from __future__ import annotations

from datetime import UTC, datetime


def day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def day_of_s(at_s: int | None, otherwise: str) -> str:
    return otherwise if at_s is None else day(at_s * 1000)
