"""/auth/login, /auth/logout, /auth/status: the page one signs in on, in by a one-time link, out again.

GET shows a button and uses nothing up, because mail clients and chat previews open links by themselves; the POST behind
the button consumes the link and sets the cookie, in one transaction. Passkeys are in passkeys.py.
"""

from __future__ import annotations

import re

import falcon

from bloop.accounts.contexts import InvitePage, LinkPage, LoginPage, SetUpPage
from bloop.accounts.invites.read import is_good
from bloop.accounts.links.read import find_link
from bloop.accounts.links.store import Consumed, consume_login_link
from bloop.accounts.people.read import has_users
from bloop.accounts.sign_ins.cookie import Sessions
from bloop.accounts.sign_ins.store import delete_sign_in
from bloop.base import credentials
from bloop.db.engine import Db
from bloop.site.access import SIGN_IN_PATH
from bloop.site.bodies import answer_json, read_form
from bloop.site.contexts import Page
from bloop.site.cookie import session_cookie
from bloop.site.deps import Deps
from bloop.site.render import context_of

TOKEN_LENGTH_MAX = 128
ACCOUNT_PATH = "/settings/account?by=link"
LINK_PROBLEM = "This link was used before or has run out. Make a new one on the server with: bloop login-link"
INVITE_PROBLEM = "This invitation was used before or has run out. Ask for a new one."


class SignIn:
    def __init__(self, deps: Deps) -> None:
        self._deps, self._sessions = deps, Sessions(deps.settings)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        token, invite = ((req.get_param(name) or "")[:TOKEN_LENGTH_MAX] for name in ("token", "invite"))
        next_path, now_ms = local_path(req.get_param("next")), self._deps.now_ms()
        page: Page
        with self._deps.database.reader() as db:
            has_accounts = has_users(db)
            link = find_link(db, credentials.token_hash(token), now_ms) if token else None
            is_invited = bool(invite) and is_good(db, credentials.token_hash(invite), now_ms)
        if link is not None and link.username is not None:
            page = LinkPage(token=token, username=link.username)
        elif link is not None:
            page = SetUpPage(token=token, next_path=next_path, origin=self._origin)
        elif is_invited:
            page = InvitePage(token=invite, origin=self._origin)
        else:
            problem = LINK_PROBLEM if token else INVITE_PROBLEM if invite else ""
            page = LoginPage(has_accounts=has_accounts, next_path=next_path, origin=self._origin, problem=problem)
        self._send(resp, page)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form, now_ms = read_form(req), self._deps.now_ms()
        token, next_path = form.get("token", ""), local_path(form.get("next"))

        def sign_in(db: Db) -> tuple[Consumed, str] | None:
            link = consume_login_link(db, token, now_ms)
            return None if link is None else (link, self._sessions.open(db, req, link.user_id, now_ms))

        found = self._deps.database.change(sign_in)
        if found is None:
            with self._deps.database.reader() as db:
                has_accounts = has_users(db)
            resp.status = falcon.HTTP_401
            self._send(resp, LoginPage(has_accounts, next_path, self._origin, LINK_PROBLEM))
            return
        link, cookie = found
        self._sessions.set_cookie(resp, cookie)
        resp.status, resp.location = falcon.HTTP_303, next_path if link.user_id is None else ACCOUNT_PATH

    def on_post_logout(self, req: falcon.Request, resp: falcon.Response) -> None:
        cookie = session_cookie(req)
        if cookie is not None:
            self._deps.database.change(lambda db: delete_sign_in(db, cookie))
        self._sessions.clear_cookie(resp)
        if "text/html" in (req.get_header("Accept") or ""):
            resp.status, resp.location = falcon.HTTP_303, SIGN_IN_PATH
            return
        answer_json(resp, {"status": "ok"})

    def on_get_status(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            body = {"setup_complete": has_users(db)}
        answer_json(resp, body)

    @property
    def _origin(self) -> str:
        return self._deps.settings.auth.rp_origin.rstrip("/")

    def _send(self, resp: falcon.Response, page: Page) -> None:
        """Never kept and never packed: the link's token is in it."""
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Cache-Control", "no-store")
        resp.text = self._deps.render(page.template, context_of(page))


def local_path(text: str | None) -> str:
    """Where to go after signing in: a path of ours, or `/` for anything that could lead elsewhere."""
    return text if text is not None and re.fullmatch(r"/(?![/\\])[!-~]*", text) else "/"
