"""Formats and parses times for the commands: UTC, at most to the minute."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import click

from bloop.base import clock
from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS

AHEAD_MS_MAX = 3660 * DAY_MS
_UNITS_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}


def day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def day_of_s(at_s: int | None, otherwise: str) -> str:
    return otherwise if at_s is None else day(at_s * 1000)


class SpanParam(click.ParamType[int]):
    """`30m`, `2h`, `7d`, `2w` → ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", str(value))
        if match is None or (duration_ms := int(match[1]) * _UNITS_MS[match[2]]) > AHEAD_MS_MAX:
            self.fail(f"{value!r} is not a duration such as 30m, 2h, 7d or 2w", param, ctx)
        return duration_ms


class Instant(click.ParamType[int]):
    """`2026-01-18T12:00`, UTC unless it has an offset → Unix ms."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            at = datetime.fromisoformat(str(value))
            at_ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time such as 2026-01-18T12:00", param, ctx)
        if not clock.now_ms() < at_ms <= clock.now_ms() + AHEAD_MS_MAX:
            self.fail(f"{value} is not in the future or more than ten years ahead", param, ctx)
        return at_ms
