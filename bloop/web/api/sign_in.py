"""/auth/*: in by a one-time link, out again.

GET shows a button and uses nothing up, because mail clients and chat previews open links by themselves; the POST behind
the button consumes the link and sets the cookie, in one transaction.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import apsw
import falcon
import orjson

from bloop.errors import BodyTooLarge, InvalidParameter
from bloop.query.users import has_users
from bloop.storage.login_links import consume_login_link
from bloop.storage.sessions import create_session, delete_session, sweep_sessions
from bloop.web.authenticate import COOKIE, SIGN_IN_PATH, session_cookie
from bloop.web.deps import Deps

FORM_BYTES_MAX = 4096
FIELDS_MAX = 10
TOKEN_LENGTH_MAX = 128
PROBLEM = "This sign-in link was used before or has run out. Make a new one on the server with: bloop login-link"


class SignIn:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._ttl_s = deps.settings.auth.session_ttl_secs

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        token = (req.get_param("token") or "")[:TOKEN_LENGTH_MAX]
        self._page(resp, token, next_path=local_path(req.get_param("next")), problem="")

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form, now_ms = _form(req), self._deps.now_ms()
        token, next_path = form.get("token", ""), local_path(form.get("next"))

        def sign_in(db: apsw.Connection) -> str | None:
            if not consume_login_link(db, token, now_ms):
                return None
            sweep_sessions(db, now_ms)
            return create_session(db, None, now_ms=now_ms, ttl_s=self._ttl_s)

        cookie = self._deps.database.change(sign_in)
        if cookie is None:
            resp.status = falcon.HTTP_401
            self._page(resp, "", next_path=next_path, problem=PROBLEM)
            return
        self._set_cookie(resp, cookie, max_age_s=self._ttl_s)
        resp.status, resp.location = falcon.HTTP_303, next_path

    def on_post_logout(self, req: falcon.Request, resp: falcon.Response) -> None:
        cookie = session_cookie(req)
        if cookie is not None:
            self._deps.database.change(lambda db: delete_session(db, cookie))
        self._set_cookie(resp, "", max_age_s=0)
        if "text/html" in (req.get_header("Accept") or ""):
            resp.status, resp.location = falcon.HTTP_303, SIGN_IN_PATH
            return
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps({"status": "ok"})

    def on_get_status(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            body = {"setup_complete": has_users(db)}
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps(body)

    def _page(self, resp: falcon.Response, token: str, *, next_path: str, problem: str) -> None:
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Cache-Control", "no-store")  # the token is in it
        resp.text = self._deps.render("pages/login.html", {"token": token, "next_path": next_path, "problem": problem})

    def _set_cookie(self, resp: falcon.Response, value: str, *, max_age_s: int) -> None:
        # By hand: Falcon's set_cookie leaves Max-Age=0 out, and with it the one thing that clears a cookie.
        # Secure exactly where the dashboard is on https: over plain http in a home network it would never come back.
        secure = "; Secure" if self._deps.settings.https else ""
        resp.append_header(
            "Set-Cookie", f"{COOKIE}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={max_age_s}{secure}"
        )


def local_path(text: str | None) -> str:
    """Where to go after signing in: a path of ours, or `/` for anything that could lead elsewhere."""
    return text if text is not None and re.fullmatch(r"/(?![/\\])[!-~]*", text) else "/"


def _form(req: falcon.Request) -> dict[str, str]:
    body = req.bounded_stream.read(FORM_BYTES_MAX + 1)
    if len(body) > FORM_BYTES_MAX:
        raise BodyTooLarge(FORM_BYTES_MAX)
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=FIELDS_MAX))
    except ValueError:  # UnicodeDecodeError is one
        raise InvalidParameter("body", "the form cannot be read") from None
