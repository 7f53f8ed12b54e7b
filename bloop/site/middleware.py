"""Middleware for all requests and answers of the dashboard process, except the access check (access.py).

MIDDLEWARE-1  A fingerprint or a release in a path may hold any character, also slashes, encoded or not.
MIDDLEWARE-2  HEAD answers as GET does, without the body.
MIDDLEWARE-3  Every answer has the security headers; a resource may tighten them.
MIDDLEWARE-4  Other origins read nothing with a user's cookie, except `auth.rp_origin`.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote

import falcon
import falcon.routing

from bloop.auth.access import Door
from bloop.base.security_headers import security_headers
from bloop.site.routes import Routes

_CORS_METHODS = "GET, POST, PUT, DELETE, OPTIONS"
_CORS_HEADERS = "Content-Type, Cookie, Authorization"
_CORS_MAX_AGE_S = 600
ROW_ID_MAX = 2**63 - 1  # of SQLite (sqlite.org/autoinc.html)
_ROW_ID = re.compile(r"[0-9]{1,19}")

# Greedy up to the last segment that is an action of the route, so `a/b/trend` is the trend of `a/b`.
_REFERENCE_PATHS = (
    re.compile(
        r"(/v1/errors/)(.+?)"
        r"(/(?:occurrences|trend|history|tags|comments(?:/[^/]+)?|resolve|ignore|mute|unresolve|assign))?",
        re.DOTALL,
    ),
    re.compile(r"(/v1/releases/)(.+)(/errors)", re.DOTALL),
)


class ReferenceConverter(falcon.routing.BaseConverter):
    """`{name:ref}` in a route: one path segment as `NormalizeRequest` encoded it, decoded."""

    def convert(self, value: str) -> str:
        return unquote(value)


class RowIdConverter(falcon.routing.BaseConverter):
    """`{name:int}` in a route: the number of a row, up to 2⁶³-1. Any other segment is no route, hence 404.

    In place of Falcon's, which passes on whatever `int` reads: SQLite cannot hold all of it, and `-9` or `1_0` would be
    second spellings of an address.
    """

    def convert(self, value: str) -> int | None:
        number = int(value) if _ROW_ID.fullmatch(value) else ROW_ID_MAX + 1
        return number if number <= ROW_ID_MAX else None


class NormalizeRequest:
    """Changes paths and methods to what the routes expect (MIDDLEWARE-1, MIDDLEWARE-2)."""

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        if req.path.startswith("//"):
            req.path = "/" + req.path.lstrip("/")
        for pattern in _REFERENCE_PATHS:
            if match := pattern.fullmatch(req.path):
                req.path = match[1] + quote(match[2], safe="") + (match[3] or "")
        if req.method == "HEAD":
            req.context.is_head = True
            req.method = "GET"

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        if getattr(req.context, "is_head", False):
            req.method = "HEAD"  # Falcon then omits the body and keeps its length


class SecurityHeaders:
    """Adds the security headers (MIDDLEWARE-3)."""

    def __init__(self, https: bool) -> None:
        self._headers = security_headers(https=https)

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        for name, value in self._headers.items():
            if resp.get_header(name) is None:
                resp.set_header(name, value)
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "private, no-cache")


class Cors:
    """Adds CORS headers (MIDDLEWARE-4). Ingest routes set their own: any page may send events."""

    def __init__(self, routes: Routes, rp_origin: str) -> None:
        self._routes, self._rp_origin = routes, rp_origin.rstrip("/")

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        if resp.get_header("Access-Control-Allow-Origin") is not None or self._is_signed(req):
            return
        resp.append_header("Vary", "Origin")
        if req.get_header("Origin") != self._rp_origin:
            return
        resp.set_header("Access-Control-Allow-Origin", self._rp_origin)
        resp.set_header("Access-Control-Allow-Credentials", "true")
        if req.method == "OPTIONS" and req.get_header("Access-Control-Request-Method"):
            resp.set_header("Access-Control-Allow-Methods", _CORS_METHODS)
            resp.set_header("Access-Control-Allow-Headers", _CORS_HEADERS)
            resp.set_header("Access-Control-Max-Age", str(_CORS_MAX_AGE_S))

    def _is_signed(self, req: falcon.Request) -> bool:
        need = self._routes.need(req.uri_template or "", "POST")
        return need is not None and need.door is Door.SIGNED
