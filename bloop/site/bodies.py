"""Small request bodies read whole, JSON or a form, and JSON answers. Bounded before anything is parsed."""

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
    """The JSON object in the body; no body and `null` are an empty one.

    Raises:
        BodyTooLarge: more than `bytes_max`.
        Declined: something else is there.
    """
    body = _read(req, bytes_max)
    return {} if body.strip() in (b"", b"null") else _object(body)


def text_in(body: dict[str, Any], name: str) -> str:
    """The text at `name`, `""` when it is missing or null.

    Raises:
        Declined: something else is there.
    """
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise Declined(f"{name} must be a string")
    return value or ""


def read_form(req: falcon.Request, bytes_max: int = FORM_BYTES_MAX) -> dict[str, str]:
    """The fields of a posted form; of a repeated one the last counts.

    Raises:
        BodyTooLarge: more than `bytes_max`.
        InvalidParameter: no form, or one with too many fields.
    """
    try:
        fields = parse_qs(_read(req, bytes_max).decode("ascii"), max_num_fields=FIELDS_MAX)
    except ValueError:  # UnicodeDecodeError is one
        raise InvalidParameter("body", "the form cannot be read") from None
    return {name: values[-1] for name, values in fields.items()}


def answer_json(resp: falcon.Response, value: Any) -> None:
    """200 unless the responder said otherwise, never kept by a cache: it may hold what is shown once."""
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
