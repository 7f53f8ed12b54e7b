"""Parses query parameters. A blank parameter counts as absent."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import falcon

from bloop.base.errors import InvalidParameter
from bloop.base.timestamps import to_ms
from bloop.db.walk import ROWS_MAX

E = TypeVar("E", bound=StrEnum)

LIMIT_DEFAULT = 50
OFFSET_MAX = 10_000_000
TEXT_LENGTH_MAX = 1024
_INT64_MAX = 2**63 - 1


def text_params(req: falcon.Request) -> dict[str, str]:
    """All parameters as text; of a repeated one the last counts."""
    return {name: value[-1] if isinstance(value, list) else value for name, value in req.params.items()}


def text(req: falcon.Request, name: str) -> str | None:
    """The parameter as given.

    Raises:
        InvalidParameter: longer than TEXT_LENGTH_MAX.
    """
    value = req.get_param(name)
    if value is not None and len(value) > TEXT_LENGTH_MAX:
        raise InvalidParameter(name, f"must be at most {TEXT_LENGTH_MAX} characters")
    return value or None


def integer(req: falcon.Request, name: str, default: int, *, low: int, high: int) -> int:
    """A whole number, clamped to low..high.

    Raises:
        InvalidParameter: not a whole number.
    """
    value = _integer(req, name)
    return default if value is None else min(max(value, low), high)


def instant_ms(req: falcon.Request, name: str) -> int | None:
    """A Unix time in seconds, milliseconds, microseconds or nanoseconds, recognised by its size; in ms.

    Raises:
        InvalidParameter: not a whole number, or past 64 bits.
    """
    value = _integer(req, name)
    if value is not None and abs(value) > _INT64_MAX:
        raise InvalidParameter(name, "is out of range")
    return None if value is None else to_ms(value)


def choice(req: falcon.Request, name: str, default: E) -> E:
    """A member of the default's enum.

    Raises:
        InvalidParameter: not one of its values.
    """
    value = req.get_param(name)
    if not value:
        return default
    try:
        return type(default)(value)
    except ValueError:
        raise InvalidParameter(name, f"must be one of {', '.join(type(default))}") from None


def limit(req: falcon.Request) -> int:
    return integer(req, "limit", LIMIT_DEFAULT, low=1, high=ROWS_MAX)


def offset(req: falcon.Request) -> int:
    return integer(req, "offset", 0, low=0, high=OFFSET_MAX)


def _integer(req: falcon.Request, name: str) -> int | None:
    value = req.get_param(name)
    if not value:
        return None
    try:
        return int(value)
    except ValueError:  # also when Python refuses the number of digits
        raise InvalidParameter(name, "must be a whole number") from None
