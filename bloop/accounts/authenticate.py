"""Request → principal → let in or not: the middleware every request of the dashboard process passes.

Bearer first, then the cookie. A bearer token that does not verify is refused even beside a good cookie (access A3).
Both are looked up by their hash on every request, one indexed read, so revoking and signing out work at once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import apsw
import falcon

from bloop.accounts.sign_ins import read as sign_ins
from bloop.accounts.sign_ins.cookie import session_cookie
from bloop.accounts.sign_ins.store import touch_sign_in
from bloop.auth import access, scopes
from bloop.auth.access import Door
from bloop.auth.principal import ANONYMOUS, Kind, Principal
from bloop.base import credentials
from bloop.base.errors import NotFound, StorageError, Unauthorized
from bloop.db.pool import Database
from bloop.ingest.client_address import ClientAddresses, is_this_machine
from bloop.ingest.rate_limit import RateLimiter
from bloop.projects import read as projects
from bloop.projects.tokens import read as tokens
from bloop.projects.tokens.store import touch_token
from bloop.site.origin import check_origin
from bloop.site.routes import Routes

SIGN_IN_PATH = "/auth/login"
TOUCH_INTERVAL_MS = 60_000  # how exact `last_used_at` of a token and `last_seen_at` of a session are
OPERATOR = "operator"


def principal_of(req: falcon.Request) -> Principal:
    """Who sent this request; only inside a responder."""
    principal = req.context.principal
    assert isinstance(principal, Principal)
    return principal


def visible_projects(db: apsw.Connection, principal: Principal, reference: str | None) -> tuple[int, ...]:
    """The projects a request is about: the token's own, else the one named by id or slug, else all that may be seen.

    Raises:
        NotFound: `reference` names no project, or none that may be seen.
    """
    if principal.kind is Kind.TOKEN:
        assert principal.project_ids is not None, "a token belongs to one project"
        return principal.project_ids
    if not reference:
        return projects.project_ids(db) if principal.project_ids is None else principal.project_ids
    project = projects.get_project(db, reference)
    if project is None or (principal.project_ids is not None and project.id not in principal.project_ids):
        raise NotFound("project not found")
    return (project.id,)


class Access:
    """Falcon middleware. Knows the table of needs, asks `access.check`, and puts the principal on the request."""

    def __init__(
        self,
        routes: Routes,
        database: Database,
        *,
        rp_origin: str,
        now_ms: Callable[[], int],
        auth_limit: RateLimiter,
        addresses: ClientAddresses,
    ) -> None:
        self._routes, self._database, self._rp_origin, self._now_ms = routes, database, rp_origin, now_ms
        self._auth_limit, self._addresses = auth_limit, addresses

    def process_resource(self, req: falcon.Request, resp: falcon.Response, resource: Any, params: Any) -> None:
        if req.method == "OPTIONS":
            return  # Falcon's own answer: what the route takes
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
        scheme, _, token = (req.get_header("Authorization") or "").partition(" ")
        if scheme.lower() == "bearer":
            return self._by_token(token.strip())
        cookie = session_cookie(req)
        return ANONYMOUS if cookie is None else self._by_session(cookie)

    def _by_token(self, token: str) -> Principal:
        now_ms = self._now_ms()
        with self._database.reader() as db:
            grant = tokens.find_grant(db, credentials.token_hash(token), now_ms)
        if grant is None:
            raise Unauthorized("invalid or expired token")
        self._note(grant.last_used_at, now_ms, lambda db: touch_token(db, grant.id, now_ms))
        return Principal(Kind.TOKEN, grant.id, grant.name, (grant.project_id,), scopes.from_stored(grant.scopes))

    def _by_session(self, cookie: str) -> Principal:
        now_ms, token_hash = self._now_ms(), credentials.token_hash(cookie)
        with self._database.reader() as db:
            session = sign_ins.find_sign_in(db, token_hash, now_ms)
        if session is None:
            raise Unauthorized("invalid or expired session")
        self._note(session.last_seen_at, now_ms, lambda db: touch_sign_in(db, token_hash, now_ms))
        if session.user_id is None:
            return Principal(Kind.OPERATOR, OPERATOR, OPERATOR, None, scopes.ALL, is_admin=True)
        name = session.display_name or session.username or session.user_id
        return Principal(Kind.USER, session.user_id, name, None, scopes.ALL, is_admin=session.is_admin)

    def _note(self, noted_at_s: int | None, now_ms: int, note: Callable[[apsw.Connection], None]) -> None:
        """Remember that a credential was used, unless it was noted a moment ago."""
        if noted_at_s is None or now_ms - noted_at_s * 1000 >= TOUCH_INTERVAL_MS:
            with contextlib.suppress(StorageError, apsw.Error):  # a note on the side never fails the request
                self._database.change(note, wait=False)


def _sign_in_url(req: falcon.Request) -> str:
    """The sign-in page, told where the visitor wanted to go when that can be asked for again."""
    if req.method not in ("GET", "HEAD") or req.path == "/":
        return SIGN_IN_PATH
    return f"{SIGN_IN_PATH}?{urlencode({'next': falcon.uri.encode_check_escaped(req.relative_uri)})}"
