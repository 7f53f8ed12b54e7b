"""Reads small request bodies, JSON or forms, and sends JSON answers. Sizes are checked before parsing."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import falcon
import orjson

from bloop.base.errors import BodyTooLarge, Declined, InvalidEvent, InvalidParameter
from bloop.base.json_body import decode_json

JSON_BYTES_MAX = 65_536
FORM_BYTES_MAX = 4096
FIELDS_MAX = 16


def read_json(req: falcon.Request, bytes_max: int = JSON_BYTES_MAX) -> dict[str, Any]:
    """The JSON object in the body, whatever its declared type.

    Raises:
        BodyTooLarge: more than `bytes_max`.
        Declined: not JSON, or not an object.
    """
    return _object(_read(req, bytes_max))


def read_optional_json(req: falcon.Request, bytes_max: int = JSON_BYTES_MAX) -> dict[str, Any]:
    """The JSON object in the body; an empty body and `null` give {}.

    Raises:
        BodyTooLarge: more than `bytes_max`.
        Declined: it is of another type.
    """
    body = _read(req, bytes_max)
    return {} if body.strip() in (b"", b"null") else _object(body)


def text_in(body: dict[str, Any], name: str) -> str:
    """The text at `name`, `""` when it is missing or null.

    Raises:
        Declined: it is of another type.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Declined(f"{name} must be a string")
    return value or ""


def read_form(req: falcon.Request, bytes_max: int = FORM_BYTES_MAX, fields_max: int = FIELDS_MAX) -> dict[str, str]:
    """The fields of a posted form; the last of a repeated field wins.

    Raises:
        BodyTooLarge: more than `bytes_max`.
        InvalidParameter: not a form, or too many fields.
    """
    try:
        fields = parse_qs(_read(req, bytes_max).decode("ascii"), max_num_fields=fields_max)
    except ValueError:  # includes UnicodeDecodeError
        raise InvalidParameter("body", "the form cannot be read") from None
    return {name: values[-1] for name, values in fields.items()}


def answer_json(resp: falcon.Response, value: Any) -> None:
    """Send JSON, with status 200 unless already set. Never cached: it may hold a secret that is shown once."""
    resp.content_type = falcon.MEDIA_JSON
    resp.set_header("Cache-Control", "no-store")
    resp.data = orjson.dumps(value)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = decode_json(body)
    except InvalidEvent as error:
        raise Declined(error.reason) from None
    if not isinstance(value, dict):
        raise Declined("the body must be a JSON object")
    return value


def _read(req: falcon.Request, bytes_max: int) -> bytes:
    body: bytes = req.bounded_stream.read(bytes_max + 1)
    if len(body) > bytes_max:
        raise BodyTooLarge(bytes_max)
    return body
