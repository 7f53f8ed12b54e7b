"""The access check: middleware that finds the principal of every dashboard request and checks its permission.

A bearer token comes before the cookie: an invalid token is refused even beside a valid cookie (ACCESS-3). The features
that own the credentials look them up (`FindCredential`), on every request and by hash, so revoking and signing out work
at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import falcon

from bloop.auth import access
from bloop.auth.access import Door
from bloop.auth.principal import ANONYMOUS, Principal
from bloop.base.client_address import ClientAddresses, is_this_machine
from bloop.base.errors import StorageError, Unauthorized
from bloop.base.rate_limit import RateLimiter
from bloop.db import errors as db_errors
from bloop.db.engine import Db
from bloop.db.pool import DatabasePool
from bloop.site.cookie import sign_in_cookie
from bloop.site.origin import check_origin
from bloop.site.routes import Routes

SIGN_IN_PATH = "/auth/login"
TOUCH_INTERVAL_MS = 60_000  # precision of a token's `last_used_at` and a sign-in's `last_seen_at`


class Credential(NamedTuple):
    """A valid credential: its principal, when its use was last stored, and how to store it, inside a transaction."""

    principal: Principal
    used_at_s: int | None
    store_use: Callable[[Db], None]


# (database, secret as the client sent it, now in ms) → the credential; None when it is unknown, revoked or expired.
FindCredential = Callable[[Db, str, int], Credential | None]


def bearer_token(req: falcon.Request) -> str | None:
    """The token in the Authorization header; None when the header is absent or of another scheme."""
    scheme, _, token = (req.get_header("Authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


class Access:
    """Falcon middleware: looks up the route's need, calls `access.check` and stores the principal on the request."""

    def __init__(
        self,
        routes: Routes,
        database: DatabasePool,
        *,
        by_bearer: FindCredential,
        by_cookie: FindCredential,
        rp_origin: str,
        https: bool,
        now_ms: Callable[[], int],
        auth_limit: RateLimiter,
        addresses: ClientAddresses,
    ) -> None:
        self._routes, self._database, self._rp_origin, self._now_ms = routes, database, rp_origin, now_ms
        self._by_bearer, self._by_cookie, self._https = by_bearer, by_cookie, https
        self._auth_limit, self._addresses = auth_limit, addresses

    def process_resource(self, req: falcon.Request, resp: falcon.Response, resource: Any, params: Any) -> None:
        if req.method == "OPTIONS":
            return  # Falcon answers with the allowed methods
        template = req.uri_template or ""
        need = self._routes.need(template, req.method)
        if need is None:
            raise falcon.HTTPMethodNotAllowed(self._routes.methods(template))
        if need.door is Door.SIGNED:
            return
        if template.startswith("/auth/"):
            self._auth_limit.take(self._addresses.of(req.env))
        if need.door is Door.OPEN:
            req.context.principal = ANONYMOUS
            check_origin(req, self._rp_origin)
            return
        if need.door is Door.MACHINE and is_this_machine(req.env) and "HTTP_AUTHORIZATION" not in req.env:
            req.context.principal = ANONYMOUS
            return
        try:
            principal = self._authenticate(req)
            access.check(principal, need)
        except Unauthorized:
            if not need.page:
                raise
            raise falcon.HTTPSeeOther(_sign_in_url(req)) from None
        if principal.by_cookie:
            check_origin(req, self._rp_origin)
        req.context.principal = principal

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        if resp.status_code == 401:
            resp.set_header("WWW-Authenticate", 'Bearer realm="bloop"')

    def _authenticate(self, req: falcon.Request) -> Principal:
        token = bearer_token(req)
        if token is not None:
            return self._principal(self._by_bearer, token, "invalid or expired token")
        cookie = sign_in_cookie(req, https=self._https)
        return ANONYMOUS if cookie is None else self._principal(self._by_cookie, cookie, "invalid or expired session")

    def _principal(self, find: FindCredential, secret: str, refusal: str) -> Principal:
        now_ms = self._now_ms()
        with self._database.reader() as db:
            credential = find(db, secret, now_ms)
        if credential is None:
            raise Unauthorized(refusal)
        if credential.used_at_s is None or now_ms - credential.used_at_s * 1000 >= TOUCH_INTERVAL_MS:
            with contextlib.suppress(StorageError, db_errors.Error):  # storing the use must not fail the request
                self._database.change(credential.store_use, wait=False)
        return credential.principal


def _sign_in_url(req: falcon.Request) -> str:
    """The sign-in page, with the requested URL as `next` if it can be repeated."""
    if req.method not in ("GET", "HEAD") or req.path == "/":
        return SIGN_IN_PATH
    return f"{SIGN_IN_PATH}?{urlencode({'next': falcon.uri.encode_check_escaped(req.relative_uri)})}"
