"""Domain errors as HTTP answers: the only place that knows status codes. Every body is `{"error": "<text>"}`.

An error of one field or parameter also has `"path"`, its name. Unexpected exceptions are logged and answered 500
without detail.
"""

from __future__ import annotations

import logging
from typing import Any

import falcon
import orjson

from bloop.base import errors
from bloop.base.meters import NO_ROUTE

# The nearest class in an error's ancestry decides. Classes not listed are internal errors: 500 without detail.
_STATUS: dict[type[Exception], str] = {
    errors.BodyTooLarge: falcon.HTTP_413,
    errors.WireError: falcon.HTTP_400,
    errors.Unauthorized: falcon.HTTP_401,
    errors.Forbidden: falcon.HTTP_403,
    errors.InvalidEvent: falcon.HTTP_400,
    errors.InvalidParameter: falcon.HTTP_400,
    errors.Declined: falcon.HTTP_400,
    errors.RateLimited: falcon.HTTP_429,
    errors.NotFound: falcon.HTTP_404,
    errors.Conflict: falcon.HTTP_409,
    errors.StorageError: falcon.HTTP_503,
    errors.RingError: falcon.HTTP_503,
}
# Replaces falcon's own descriptions with the texts that clients of bloop know.
_FALCON_TEXT = {404: "not found", 405: "method not allowed", 413: "body is too large"}
INTERNAL = "internal server error"

log = logging.getLogger(__name__)


def install(app: falcon.App[Any, Any]) -> None:
    """Make `app` answer every error in bloop's shape."""
    app.add_error_handler(errors.BloopError, answer_bloop_error)
    app.add_error_handler(falcon.HTTPError, answer_falcon_error)
    app.add_error_handler(Exception, answer_unexpected)


def status_of(error: errors.BloopError) -> str:
    """The status line for `error`."""
    return next((_STATUS[cls] for cls in type(error).__mro__ if cls in _STATUS), falcon.HTTP_500)


def body_of(error: errors.BloopError) -> dict[str, str]:
    """The JSON body for `error`."""
    if isinstance(error, errors.InvalidEvent) and error.path:
        return {"error": str(error), "path": error.path}
    if isinstance(error, errors.InvalidParameter):
        return {"error": str(error), "path": error.name}
    return {"error": str(error) if status_of(error) != falcon.HTTP_500 else INTERNAL}


def answer_bloop_error(req: falcon.Request, resp: falcon.Response, error: errors.BloopError, params: Any) -> None:
    status = status_of(error)
    if status == falcon.HTTP_500:
        _log(req, error)
    if isinstance(error, errors.RateLimited):
        resp.set_header("Retry-After", str(error.retry_after_s))
    _answer(resp, status, body_of(error))


def answer_falcon_error(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: Any) -> None:
    resp.set_headers(error.headers or {})
    text = _FALCON_TEXT.get(error.status_code) or error.description or error.title or str(error.status)
    _answer(resp, error.status, {"error": text})


def answer_unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    _log(req, error)
    _answer(resp, falcon.HTTP_500, {"error": INTERNAL})


def _log(req: falcon.Request, error: Exception) -> None:
    route = f"{req.method} {req.uri_template or NO_ROUTE}"  # never the path: it may hold a token (LOG-2)
    log.error("%s failed", route, exc_info=error, extra={"action": "request_failed", "route": route})


def _answer(resp: falcon.Response, status: Any, body: dict[str, str]) -> None:
    resp.status = status
    resp.content_type = falcon.MEDIA_JSON
    resp.text = None  # a resource may have set it
    resp.data = orjson.dumps(body)
