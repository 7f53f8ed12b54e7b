"""/settings: your own account; people and invitations for admins.

ACCOUNTS-1  A change is a POST that answers 303 back to its page, which then says what was done.
ACCOUNTS-2  The POST itself answers with a link that is shown once, so it is in no URL, cookie or cache. Such a page is
            never compressed, since it holds a secret.
"""

from __future__ import annotations

from collections.abc import Callable

import falcon

from bloop.accounts import pages as account
from bloop.accounts.contexts import FreshLink
from bloop.accounts.invites.read import list_invites
from bloop.accounts.invites.store import TTL_S as INVITE_TTL_S
from bloop.accounts.invites.store import revoke_invite
from bloop.accounts.links.store import create_login_link
from bloop.accounts.passkeys import store as passkeys
from bloop.accounts.passkeys.read import list_passkeys
from bloop.accounts.people import api as administration
from bloop.accounts.people.read import get_user, has_users, list_people
from bloop.accounts.people.removal import count_belongings
from bloop.accounts.sign_ins import store as sign_ins
from bloop.accounts.sign_ins.read import list_sign_ins
from bloop.auth.principal import PrincipalKind
from bloop.base import credentials
from bloop.base.errors import Conflict, InvalidField, InvalidParameter
from bloop.db.engine import Db
from bloop.site.access import SIGN_IN_PATH
from bloop.site.bodies import read_form
from bloop.site.cookie import sign_in_cookie
from bloop.site.deps import Deps
from bloop.site.errors import status_of
from bloop.site.html import back_to, send_page
from bloop.site.principal import principal_of
from bloop.site.render import context_of
from bloop.site.settings_nav import ACCOUNT, PEOPLE

DAY_S = 86_400


class Account:
    """/settings/account"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        with self._deps.database.reader() as db:
            user = get_user(db, principal.id)
            page = account.account_page(
                self._deps.shell(db, principal),
                user,
                list_passkeys(db, principal.id),
                list_sign_ins(db, principal.id, now_ms),
                this_sign_in=_handle(req, self._deps),
                is_admin=principal.is_admin,
                origin=self._deps.settings.auth.rp_origin.rstrip("/"),
                notice=req.get_param("done") or req.get_param("by") or "",
                now_ms=now_ms,
            )
        send_page(self._deps, req, resp, page)

    def on_post_set_up(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Create a set-up link and open it: the operator creates the first account."""
        ttl_s, now_ms = self._deps.settings.auth.login_link_ttl_secs, self._deps.now_ms()

        def make_link(db: Db) -> str:
            if has_users(db):
                raise Conflict("there are accounts already: sign in with a passkey")
            return create_login_link(db, now_ms=now_ms, ttl_s=ttl_s)

        token = self._deps.database.change(make_link)
        resp.status, resp.location = falcon.HTTP_303, f"{SIGN_IN_PATH}?token={token}"

    def on_post_passkey_name(self, req: falcon.Request, resp: falcon.Response, passkey_id: str) -> None:
        name = read_form(req).get("name", "")
        self._change(req, resp, "passkey-renamed", lambda db, me: passkeys.rename_passkey(db, me, passkey_id, name))

    def on_post_passkey_remove(self, req: falcon.Request, resp: falcon.Response, passkey_id: str) -> None:
        self._change(req, resp, "passkey-removed", lambda db, me: passkeys.remove_passkey(db, me, passkey_id))

    def on_post_sign_in_end(self, req: falcon.Request, resp: falcon.Response, handle: str) -> None:
        self._change(req, resp, "sign-in-ended", lambda db, me: sign_ins.end_sign_in(db, me, handle))

    def on_post_end_others(self, req: falcon.Request, resp: falcon.Response) -> None:
        this = sign_in_cookie(req, https=self._deps.settings.https) or ""
        self._change(req, resp, "sign-ins-ended", lambda db, me: sign_ins.end_other_sign_ins(db, me, this))

    def _change(self, req: falcon.Request, resp: falcon.Response, done: str, do: Callable[[Db, str], object]) -> None:
        principal = principal_of(req)
        if principal.kind is not PrincipalKind.USER:
            raise Conflict("this needs an account")
        self._deps.database.change(lambda db: do(db, principal.id))
        back_to(resp, ACCOUNT.href, done)


class People:
    """/settings/people"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._show(req, resp, None)

    def on_post_role(self, req: falcon.Request, resp: falcon.Response, user_id: str) -> None:
        role = read_form(req).get("role", "")
        if role not in administration.ROLES:
            raise InvalidParameter("role", "must be admin or user")
        principal, is_admin = principal_of(req), administration.ROLES[role]
        self._deps.database.change(lambda db: administration.change_role(db, principal, user_id, is_admin=is_admin))
        back_to(resp, PEOPLE.href, "role")

    def on_post_remove(self, req: falcon.Request, resp: falcon.Response, user_id: str) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        keeps = administration.read_keeps_tokens(read_form(req).get("tokens"))

        def remove(db: Db) -> object:
            return administration.remove_person(
                db, principal, user_id, keeps_tokens=keeps, via=administration.DASHBOARD, now_ms=now_ms
            )

        self._deps.database.change(remove)
        back_to(resp, PEOPLE.href, "removed-tokens-kept" if keeps else "removed")

    def on_post_link(self, req: falcon.Request, resp: falcon.Response, user_id: str) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        minutes = self._deps.settings.auth.login_link_ttl_secs // 60

        def make_link(db: Db) -> tuple[str, str]:
            url = administration.recovery_link(self._deps, db, principal, user_id, now_ms)
            user = get_user(db, user_id)
            assert user is not None, "recovery_link checked that it exists"
            return url, user.username

        url, username = self._deps.database.change(make_link)
        note = f"Works once, within {minutes} minutes. Not shown again. Anyone who has it can sign in as {username}."
        self._show(req, resp, FreshLink(f"Sign-in link for {username}", note, url))

    def on_post_invite(self, req: falcon.Request, resp: falcon.Response) -> None:
        form = read_form(req)
        name, email = form.get("name", ""), form.get("email", "")
        try:
            made = administration.invite(self._deps, principal_of(req), name=name, email=email)
        except InvalidField as error:
            resp.status = status_of(error)
            self._show(req, resp, None, problem=str(error))
            return
        note = account.invite_note(made.mail, email.strip(), INVITE_TTL_S // DAY_S)
        title = f"Invitation for {name.strip()}" if name.strip() else "Invitation"
        self._show(req, resp, FreshLink(title, note, made.url))

    def on_post_invite_remove(self, req: falcon.Request, resp: falcon.Response, invite_id: str) -> None:
        self._deps.database.change(lambda db: revoke_invite(db, invite_id))
        back_to(resp, PEOPLE.href, "invite-removed")

    def _show(self, req: falcon.Request, resp: falcon.Response, fresh: FreshLink | None, *, problem: str = "") -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        with self._deps.database.reader() as db:
            page = account.people_page(
                self._deps.shell(db, principal),
                list_people(db),
                count_belongings(db),
                list_invites(db),
                my_id=principal.id,
                sends_mail=self._deps.settings.smtp.enabled,
                fresh=fresh,
                problem=problem,
                notice=req.get_param("done") or "",
                now_ms=now_ms,
            )
        if fresh is None:
            send_page(self._deps, req, resp, page)
            return
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Cache-Control", "no-store")
        resp.text = self._deps.render(page.template, context_of(page))


def _handle(req: falcon.Request, deps: Deps) -> str:
    """The handle of this request's sign-in in the list of sign-ins."""
    cookie = sign_in_cookie(req, https=deps.settings.https)
    return credentials.token_hash(cookie or "")[: sign_ins.HANDLE_LENGTH]
