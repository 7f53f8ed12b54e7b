"""/auth/login, /auth/logout, /auth/status: the sign-in page, sign-in by one-time link, sign-out.

GET shows a button and consumes nothing, because mail clients and chat previews open links by themselves; the POST
behind the button consumes the link and sets the cookie, in one transaction. Passkey sign-in is in passkeys/api.py.
"""

from __future__ import annotations

import re

import falcon

from bloop.accounts.contexts import InvitePage, LinkPage, LoginPage, SetUpPage
from bloop.accounts.invites.read import is_valid_invite
from bloop.accounts.links.read import find_link
from bloop.accounts.links.store import ConsumedLink, consume_login_link
from bloop.accounts.people.read import has_users
from bloop.accounts.sign_ins.cookie import SignInCookie
from bloop.accounts.sign_ins.store import delete_sign_in
from bloop.base import credentials
from bloop.db.engine import Db
from bloop.site.access import SIGN_IN_PATH
from bloop.site.bodies import answer_json, read_form
from bloop.site.contexts import Page
from bloop.site.cookie import sign_in_cookie
from bloop.site.deps import Deps
from bloop.site.render import context_of

TOKEN_LENGTH_MAX = 128
ACCOUNT_PATH = "/settings/account?by=link"
LINK_PROBLEM = "This link has been used or has expired. Create a new one on the server with: bloop login-link"
INVITE_PROBLEM = "This invitation has been used or has expired. Ask for a new one."


class SignIn:
    def __init__(self, deps: Deps) -> None:
        self._deps, self._cookie = deps, SignInCookie(deps.settings)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        token, invite = ((req.get_param(name) or "")[:TOKEN_LENGTH_MAX] for name in ("token", "invite"))
        next_path, now_ms = local_path(req.get_param("next")), self._deps.now_ms()
        page: Page
        with self._deps.database.reader() as db:
            has_accounts = has_users(db)
            link = find_link(db, credentials.token_hash(token), now_ms) if token else None
            is_set_up_link = link is not None and link.username is None
            first_page = self._deps.hooks.first_page(self._deps, db) if is_set_up_link else next_path
            is_invited = bool(invite) and is_valid_invite(db, credentials.token_hash(invite), now_ms)
        if link is not None and link.username is not None:
            page = LinkPage(token=token, username=link.username)
        elif link is not None:
            page = SetUpPage(token=token, next_path=next_path if next_path != "/" else first_page, origin=self._origin)
        elif is_invited:
            page = InvitePage(token=invite, origin=self._origin)
        else:
            problem = LINK_PROBLEM if token else INVITE_PROBLEM if invite else ""
            page = LoginPage(has_accounts=has_accounts, next_path=next_path, origin=self._origin, problem=problem)
        self._send(resp, page)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        form, now_ms = read_form(req), self._deps.now_ms()
        token, next_path = form.get("token", ""), local_path(form.get("next"))

        def sign_in(db: Db) -> tuple[ConsumedLink, str] | None:
            link = consume_login_link(db, token, now_ms)
            return None if link is None else (link, self._cookie.open(db, req, link.user_id, now_ms))

        signed_in = self._deps.database.change(sign_in)
        if signed_in is None:
            with self._deps.database.reader() as db:
                has_accounts = has_users(db)
            resp.status = falcon.HTTP_401
            self._send(resp, LoginPage(has_accounts, next_path, self._origin, LINK_PROBLEM))
            return
        link, cookie = signed_in
        self._cookie.set_cookie(resp, cookie)
        resp.status, resp.location = falcon.HTTP_303, next_path if link.user_id is None else ACCOUNT_PATH

    def on_post_logout(self, req: falcon.Request, resp: falcon.Response) -> None:
        cookie = sign_in_cookie(req, https=self._deps.settings.https)
        if cookie is not None:
            self._deps.database.change(lambda db: delete_sign_in(db, cookie))
        self._cookie.clear_cookie(resp)
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
        """Never cached and never compressed: the page holds the link's token."""
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Cache-Control", "no-store")
        resp.text = self._deps.render(page.template, context_of(page))


def local_path(text: str | None) -> str:
    """The path to open after sign-in; `/` for anything that could lead to another site."""
    return text if text is not None and re.fullmatch(r"/(?![/\\])[!-~]*", text) else "/"
