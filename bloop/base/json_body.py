"""Bytes to JSON values that are safe to hash, encode and store.

JSON-1  Every string in the result encodes to UTF-8 and has no NUL: lone surrogates (stacks cut in the middle of an
    emoji), invalid UTF-8 and NULs become U+FFFD.
JSON-2  NaN, Infinity and numbers too large for a double are refused: other JSON readers would fail on them later.
JSON-3  Integers are exact within 64 bits (signed or unsigned); larger ones become float, and so fail where an integer
    is required.

orjson reads ordinary bodies. The lenient standard library gets those that orjson refuses, and gives the error message
if it fails too.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

from bloop.base.errors import InvalidEvent

REPLACEMENT = "\ufffd"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INT_DIGITS_MAX = 20  # 2**64 has twenty


def decode_json(body: bytes) -> Any:
    """The value of the JSON in `body`.

    Raises:
        InvalidEvent: it is not JSON; `path` is empty.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _decode_leniently(body)
    # A NUL is only possible as this escape (a raw one is not JSON): one scan replaces a check of every string.
    return _clean(value) if b"\\u0000" in body else value


def _decode_leniently(body: bytes) -> Any:
    text = body.decode("utf-8-sig", "replace")  # a byte order mark is not part of the document
    try:
        value = json.loads(text, parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise InvalidEvent("", "invalid JSON: nested too deeply") from error
    except ValueError as error:
        raise InvalidEvent("", f"invalid JSON: {error}") from error
    return _clean(value)


def _parse_int(digits: str) -> int | float:
    if len(digits) <= _INT_DIGITS_MAX:
        value = int(digits)
        if -(2**63) <= value < 2**64:
            return value
    return _parse_float(digits)


def _parse_float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("number out of range")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _clean(value: Any) -> Any:
    try:
        return _replace_unstorable(value)
    except RecursionError as error:
        raise InvalidEvent("", "invalid JSON: nested too deeply") from error


def _replace_unstorable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {_replace_unstorable(key): _replace_unstorable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_unstorable(item) for item in value]
    return value
