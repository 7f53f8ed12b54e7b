"""The sign-in cookie: created with a sign-in, set, cleared."""

from __future__ import annotations

import falcon

from bloop.accounts.sign_ins.browser import agent_of
from bloop.accounts.sign_ins.store import Browser, create_sign_in, delete_sign_in, sweep_sign_ins
from bloop.base.client_address import ClientAddresses, client_network
from bloop.base.config import Settings
from bloop.db.engine import Db
from bloop.site.cookie import cookie_name, sign_in_cookie


class SignInCookie:
    """Call `open` inside the transaction that verified the user, `set_cookie` after it."""

    def __init__(self, settings: Settings) -> None:
        self._https, self._ttl_s = settings.https, settings.auth.session_ttl_secs
        self._addresses = ClientAddresses(settings.server.trusted_proxies)

    def open(self, db: Db, req: falcon.Request, user_id: str | None, now_ms: int) -> str:
        """Start a sign-in and return its cookie value; the browser's former sign-in ends."""
        sweep_sign_ins(db, now_ms)
        former = sign_in_cookie(req, https=self._https)
        if former is not None:
            delete_sign_in(db, former)
        browser = Browser(agent_of(req.user_agent), client_network(self._addresses.of(req.env)))
        return create_sign_in(db, user_id, now_ms=now_ms, ttl_s=self._ttl_s, browser=browser)

    def set_cookie(self, resp: falcon.Response, value: str) -> None:
        self._append(resp, value, self._ttl_s)

    def clear_cookie(self, resp: falcon.Response) -> None:
        self._append(resp, "", 0)

    def _append(self, resp: falcon.Response, value: str, max_age_s: int) -> None:
        # Not Falcon's set_cookie: it omits Max-Age=0, which is what clears a cookie.
        name, secure = cookie_name(self._https), "; Secure" if self._https else ""
        resp.append_header("Set-Cookie", f"{name}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age_s}{secure}")
