"""Values of the search language that are more than text: instants and ranges of numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.base.errors import InvalidParameter
from bloop.issues.search.keys import FACTS, NAME, STATUSES, TAG_PREFIX, Field, unknown_value

NUMBER_MAX = 10**15 - 1  # fits every integer column, with room to add one

_UNITS_MS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_SPAN = re.compile(r"([0-9]{1,5})([mhdw])")
_RANGE = re.compile(r"(?P<sign>>=|<=|>|<)?(?P<low>[0-9]{1,15})(?:\.\.(?P<high>[0-9]{1,15}))?")


@dataclass(frozen=True, slots=True)
class Since:
    """The instant a `first:` or `last:` begins at: so long ago, or a day (UTC)."""

    ago_ms: int | None
    at_ms: int | None

    def instant_ms(self, now_ms: int) -> int:
        return self.at_ms if self.at_ms is not None else now_ms - (self.ago_ms or 0)


class Range(NamedTuple):
    """Whole numbers from `low` to `high`, both included. `low` above `high` holds none, as in `<0`."""

    low: int
    high: int

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.low <= number <= self.high


def parse_since(field: Field, values: Sequence[str]) -> Since:
    """Raises: InvalidParameter."""
    if len(values) == 1:
        if span := _SPAN.fullmatch(values[0].lower()):
            return Since(int(span[1]) * _UNITS_MS[span[2]], None)
        try:
            day = date.fromisoformat(values[0])
            return Since(None, int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000))
        except ValueError:
            pass
    raise InvalidParameter(
        NAME, f"'{','.join(values)}' is not a time. Try {field}:30m, {field}:24h, {field}:7d or {field}:2026-01-18."
    )


def parse_range(field: Field, value: str) -> Range:
    """`N`, `>N`, `>=N`, `<N`, `<=N` or `N..M`. Raises: InvalidParameter."""
    found = _RANGE.fullmatch(value)
    if found is None or (found["sign"] and found["high"]):
        raise InvalidParameter(
            NAME,
            f"'{value}' is not a number or a range. Try {field}:100, {field}:>100, {field}:<=100 or {field}:5..10.",
        )
    low, sign = int(found["low"]), found["sign"]
    if sign in (">", ">="):
        return Range(low + (sign == ">"), NUMBER_MAX)
    if sign in ("<", "<="):
        return Range(0, low - (sign == "<"))
    high = int(found["high"] or low)
    if high < low:
        raise InvalidParameter(NAME, f"'{value}' ends before it begins. Try {field}:{high}..{low}.")
    return Range(low, high)


def parse_status(value: str) -> str:
    """Raises: InvalidParameter."""
    if value.lower() not in STATUSES:
        raise unknown_value("status", value, tuple(STATUSES))
    return value.lower()


def parse_fact(value: str) -> str:
    """A value of `has:`. Keys of tags keep their case. Raises: InvalidParameter."""
    if value.startswith(TAG_PREFIX) and len(value) > len(TAG_PREFIX):
        return value
    if value.lower() not in FACTS:
        raise unknown_value("fact", value, (*FACTS, f"{TAG_PREFIX}KEY"))
    return value.lower()
