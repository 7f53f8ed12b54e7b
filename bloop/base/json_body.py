"""Bytes to JSON values that are safe to hash, encode and store.

JSON-1  Every string in the result encodes to UTF-8 and has no NUL: lone surrogates (stacks cut in the middle of an
    emoji), invalid UTF-8 and NULs become U+FFFD.
JSON-2  `decode_json` refuses NaN, Infinity and numbers too large for a double: other JSON readers would fail on them
    later. It gives integers beyond 64 bits as float, so they fail where an integer is required.
JSON-3  `decode_exactly` loses no document over a number: NaN, Infinity and what is too large for a double become null,
    and an integer beyond 64 bits stays what was sent (an `orjson.Fragment`: it can be written, not computed with).
JSON-4  Work is bounded before anything is built. orjson and the standard library stop at about a thousand levels; the
    standard library, which is ten times slower, reads a document once, and only up to LENIENT_VALUES_MAX values.

orjson reads ordinary bodies. The lenient standard library gets those that orjson refuses, and gives the error message
if it fails too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

from bloop.base.errors import InvalidEvent

REPLACEMENT = "\ufffd"
LENIENT_VALUES_MAX = 100_000  # 12 MB of the smallest objects; ten full batches of ordinary events

_INT_DIGITS_MAX = 20  # 2**64 has twenty
# Escapes that no stored text may hold, and pairs of backslashes, so that what follows one is not taken for an escape.
_ESCAPES = re.compile(
    r"(?P<keep>\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def decode_json(body: bytes, otherwise: Callable[[bytes], Any] | None = None) -> Any:
    """The value of the JSON in `body`; `otherwise` reads what orjson refuses, by default as JSON-2 says.

    Raises:
        InvalidEvent: it is not JSON; `path` is empty.
    """
    if b"\\u0000" in body:  # the one thing orjson reads that cannot be stored; a raw NUL is not JSON
        body = _mend(body.decode("utf-8", "replace")).encode()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return (otherwise or _decode_strictly)(body)


def decode_exactly(body: bytes) -> Any:
    """The value of the JSON in `body` as JSON-3 says. Raises: InvalidEvent."""
    return _decode_leniently(body, _exact_int, _finite_or_null, _null)


def _decode_strictly(body: bytes) -> Any:
    return _decode_leniently(body, _int_or_float, _finite, _refuse_constant)


def _decode_leniently(
    body: bytes,
    parse_int: Callable[[str], Any],
    parse_float: Callable[[str], Any],
    parse_constant: Callable[[str], Any],
) -> Any:
    if value_count_max(body) > LENIENT_VALUES_MAX:
        raise InvalidEvent("", f"invalid JSON: nested too deeply, or more than {LENIENT_VALUES_MAX} values")
    text = _mend(body.decode("utf-8-sig", "replace"))  # a byte order mark is not part of the document
    try:
        return json.loads(text, parse_int=parse_int, parse_float=parse_float, parse_constant=parse_constant)
    except RecursionError as error:
        raise InvalidEvent("", "invalid JSON: nested too deeply") from error
    except ValueError as error:
        raise InvalidEvent("", f"invalid JSON: {error}") from error


def value_count_max(body: bytes) -> int:
    """At least as many values as `body` holds: commas and brackets in its texts are counted too. 2 ns a byte."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")


def _mend(text: str) -> str:
    """JSON text without escapes of NUL and of lone surrogates."""
    if "\\u" not in text:
        return text
    return _ESCAPES.sub(lambda match: match["keep"] or REPLACEMENT, text)


def _int_or_float(digits: str) -> int | float:
    value = _int_within_64_bits(digits)
    return _finite(digits) if value is None else value


def _exact_int(digits: str) -> int | orjson.Fragment:
    value = _int_within_64_bits(digits)
    return orjson.Fragment(digits.encode()) if value is None else value


def _int_within_64_bits(digits: str) -> int | None:
    if len(digits) <= _INT_DIGITS_MAX:
        value = int(digits)
        if -(2**63) <= value < 2**64:
            return value
    return None


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("number out of range")
    return value


def _finite_or_null(digits: str) -> float | None:
    value = float(digits)
    return None if math.isinf(value) else value


def _null(name: str) -> None:
    return None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
