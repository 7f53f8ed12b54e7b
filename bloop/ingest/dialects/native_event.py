"""A decoded JSON object to one `Event`, or an error that names the field.

NATIVE-1  Past here every field has its type and is within its bound; no later code checks again.
NATIVE-2  What a careless client can send by accident is mended, not refused: a missing or empty `release` is "unknown",
    a missing or empty `message` is the error's type (many exceptions have none), empty optional strings count as
    absent, `level` may be a word or number of another logger, `metadata` may be JSON text, unknown fields are ignored,
    and a clock that stands at zero or more than a minute in the future gives way to the time of receipt.
NATIVE-3  Everything else is refused. Of several faults, types of the required fields are named first, then the
    documented checks in their documented order, then the optional fields.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from bloop.base.errors import FieldTooLarge, InvalidEvent
from bloop.base.json_body import decode_exactly, decode_json
from bloop.base.timestamps import to_ms
from bloop.ingest import limits as bounds
from bloop.ingest.limits import Limits, check_bytes
from bloop.records.event import Event

UNKNOWN_RELEASE = "unknown"
LEVELS = ("fatal", "error", "warning", "info", "debug")
DEFAULT_LEVEL = "error"
_LEVEL_WORDS = {word: word for word in LEVELS} | {
    # syslog(3), log4j, java.util.logging, .NET, Python, Rust and the loggers of JavaScript
    "emerg": "fatal",
    "emergency": "fatal",
    "alert": "fatal",
    "crit": "fatal",
    "critical": "fatal",
    "err": "error",
    "severe": "error",
    "warn": "warning",
    "notice": "info",
    "information": "info",
    "informational": "info",
    "trace": "debug",
    "verbose": "debug",
}
_SYSLOG = ("fatal", "fatal", "fatal", "error", "warning", "info", "info", "debug")  # by severity, 0 to 7
_LOGGER_STEPS = ("debug", "info", "warning", "error", "fatal", "fatal")  # Python's 10 to 50, and 60 as in JavaScript
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
HTTP_STATUS_MAX = 65535

_KNOWN_SOURCES = frozenset({"api", "ios", "android", "python", "ruby", "rust"})
_SOURCE = re.compile(rf"[a-z0-9._-]{{1,{bounds.SOURCE_CHARS_MAX}}}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# How orjson writes what was an integer beyond 64 bits, or at least so large a number: as a value, not within text.
_BEYOND_64_BITS = re.compile(rb"(?:^|[:,\[])-?\d(?:\.\d+)?e\+(?:19|[2-9]\d|\d{3})")
_UTF8_BYTES_MAX = 4  # of one character: text of a quarter of its bound need not be measured


class NumbersAltered(Exception):
    """Metadata may have held an integer beyond 64 bits, which `data` has as a float: read the body again, exactly."""


def parse_event(data: Any, limits: Limits, received_at_ms: int, *, is_exact: bool = True) -> tuple[Event, str | None]:
    """The event in `data` and the fingerprint its client chose, None when bloop is to compute one.

    Raises:
        InvalidEvent: `path` is the wire's name of the field, empty when `data` is not an object.
        FieldTooLarge: as before, and cutting the fields to size would help (bloop/ingest/trim.py).
        NumbersAltered: `is_exact` is false, and reading the body with `decode_exactly` would give other metadata.
    """
    if not isinstance(data, dict):
        raise InvalidEvent("", "event must be a JSON object")
    get = data.get
    timestamp_ms = _timestamp(get("timestamp"), received_at_ms)
    source = _source(get("source"))
    environment = _text("environment", get("environment"))
    release = _text("release", get("release"))
    error_type = _text("error_type", get("error_type"))
    message = _text("message", get("message"))

    check_bytes("message", message, limits.message_bytes_max)
    stack = _optional("stack", get("stack"), limits.stack_bytes_max)
    metadata = _metadata(get("metadata"), limits, is_exact)
    _check_present("environment", environment, bounds.ENVIRONMENT_BYTES_MAX)
    _check_present("error_type", error_type, bounds.ERROR_TYPE_BYTES_MAX)

    event = Event(
        timestamp_ms,
        source,
        environment,
        _optional("release", release, bounds.RELEASE_BYTES_MAX) or UNKNOWN_RELEASE,
        error_type,
        message or error_type,
        stack,
        _optional("route_or_procedure", get("route_or_procedure"), bounds.ROUTE_BYTES_MAX),
        _optional("screen", get("screen"), bounds.SCREEN_BYTES_MAX),
        _http_status(get("http_status")),
        _optional("request_id", get("request_id"), bounds.LABEL_BYTES_MAX),
        _optional("user_id_hash", get("user_id_hash"), bounds.LABEL_BYTES_MAX),
        _optional("device_id_hash", get("device_id_hash"), bounds.LABEL_BYTES_MAX),
        _optional("app_version", get("app_version"), bounds.LABEL_BYTES_MAX),
        _optional("build_number", get("build_number"), bounds.LABEL_BYTES_MAX),
        metadata,
        _level(get("level")),
    )
    return event, _client_fingerprint(get("fingerprint"))


def _timestamp(value: Any, received_at_ms: int) -> int:
    if type(value) is not int:  # bool is an int to isinstance
        raise InvalidEvent("timestamp", "timestamp is required" if value is None else "timestamp must be an integer")
    if not INT64_MIN <= value <= INT64_MAX:
        raise InvalidEvent("timestamp", "timestamp must fit in 64 bits")
    at_ms = to_ms(value)
    return at_ms if 0 < at_ms <= received_at_ms + bounds.FUTURE_MS_MAX else received_at_ms


def _source(value: Any) -> str:
    if type(value) is str:
        if value in _KNOWN_SOURCES:
            return value
        source = value.lower()
        if _SOURCE.fullmatch(source):
            return source
    if value is None or value == "":
        raise InvalidEvent("source", "source is required")
    raise InvalidEvent("source", f"source must be at most {bounds.SOURCE_CHARS_MAX} characters of a-z 0-9 . _ -")


def _text(name: str, value: Any) -> str:
    """A required string; null and absent read as empty, which is reported where the contract's order wants it."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise InvalidEvent(name, f"{name} must be a string")


def _check_present(name: str, text: str, bytes_max: int) -> None:
    if not text:
        raise InvalidEvent(name, f"{name} is required")
    if len(text) * _UTF8_BYTES_MAX > bytes_max:
        check_bytes(name, text, bytes_max)


def _optional(name: str, value: Any, bytes_max: int) -> str | None:
    if value is None:
        return None
    if type(value) is not str:
        raise InvalidEvent(name, f"{name} must be a string or null")
    if len(value) * _UTF8_BYTES_MAX > bytes_max:
        check_bytes(name, value, bytes_max)
    return value or None


def _http_status(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= HTTP_STATUS_MAX:
        raise InvalidEvent("http_status", "http_status must be an integer from 0 to 65535 or null")
    return value


def _metadata(value: Any, limits: Limits, is_exact: bool) -> str | None:
    """Compact JSON text. A string that spells a JSON object is that object: one SDK encodes its metadata twice."""
    if type(value) is str and value.lstrip().startswith("{"):
        value = _object_in(value, limits.payload_bytes_max, is_exact)
    if value is None or value == {} or value == "":
        return None
    try:
        encoded = orjson.dumps(value)
    except orjson.JSONEncodeError as error:  # all that can fail on decoded JSON is its depth, 254 levels
        raise InvalidEvent("metadata", "metadata is nested too deeply") from error
    if not is_exact and b"e+" in encoded and _BEYOND_64_BITS.search(encoded):  # the search alone takes 2 µs
        raise NumbersAltered
    if len(encoded) > limits.metadata_bytes_max:
        raise FieldTooLarge("metadata", f"metadata exceeds {limits.metadata_bytes_max} bytes")
    return encoded.decode()


def _object_in(text: str, bytes_max: int, is_exact: bool) -> Any:
    """The object, or the text itself when it holds none or is longer than a whole event may be."""
    if len(text) > bytes_max:
        return text
    try:
        value = decode_json(text.encode())
        return decode_exactly(text.encode()) if is_exact else value
    except InvalidEvent:
        return text


def _level(value: Any) -> str:
    """One of LEVELS, of a word of any logger, a syslog severity (0 to 7) or a number of Python's steps (10 to 60)."""
    if value is None or value == "":
        return DEFAULT_LEVEL
    if type(value) is str:
        word = value.strip().lower()
        if word in _LEVEL_WORDS:
            return _LEVEL_WORDS[word]
        if word.isascii() and word.isdigit() and len(word) <= 2:
            value = int(word)
    if type(value) is int:
        if 0 <= value < len(_SYSLOG):
            return _SYSLOG[value]
        if 10 <= value <= 60:
            return _LOGGER_STEPS[value // 10 - 1]
    raise InvalidEvent("level", f"level must be one of {', '.join(LEVELS)}")


def _client_fingerprint(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if type(value) is not str:
        raise InvalidEvent("fingerprint", "fingerprint must be a string or null")
    if len(value) > bounds.FINGERPRINT_CHARS_MAX:
        raise InvalidEvent("fingerprint", f"fingerprint exceeds {bounds.FINGERPRINT_CHARS_MAX} characters")
    if not value.isprintable() and _CONTROL.search(value):
        raise InvalidEvent("fingerprint", "fingerprint must not hold control characters")
    return value
