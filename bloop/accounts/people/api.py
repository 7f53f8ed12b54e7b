"""/v1/admin/*: accounts and invitations, for admins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import falcon

from bloop.accounts.invites.mail import MailOutcome, send_invitation, validated_email
from bloop.accounts.invites.read import list_invites
from bloop.accounts.invites.store import NewInvite, create_invite, mark_mailed, revoke_invite
from bloop.accounts.links.store import create_login_link
from bloop.accounts.people.model import Removal
from bloop.accounts.people.read import UserRow, get_user, list_users
from bloop.accounts.people.removal import remove_account, remove_all_accounts
from bloop.accounts.people.store import set_role
from bloop.accounts.sign_ins.cookie import SignInCookie
from bloop.auth.access import creator_id
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base.errors import Declined, InvalidParameter, NotFound
from bloop.db.engine import Db
from bloop.site.access import SIGN_IN_PATH
from bloop.site.bodies import answer_json, read_json, read_optional_json, text_in
from bloop.site.deps import Deps
from bloop.site.principal import principal_of

ROLES = {"admin": True, "user": False}
REVOKE, KEEP = "revoke", "keep"  # what becomes of a removed person's API tokens
API, DASHBOARD = "api", "dashboard"  # the door of a change, for the audit trail


class Users:
    """/v1/admin/users …"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            rows = list_users(db)
        answer_json(resp, [_user(row) for row in rows])

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, user_id: str) -> None:
        principal, keeps, now_ms = principal_of(req), read_keeps_tokens(req.get_param("tokens")), self._deps.now_ms()

        def remove(db: Db) -> Mapping[str, int]:
            return remove_person(db, principal, user_id, keeps_tokens=keeps, via=API, now_ms=now_ms)

        settled = self._deps.database.change(remove)
        answer_json(resp, {"status": "ok", "tokens": KEEP if keeps else REVOKE, "settled": settled})

    def on_put_role(self, req: falcon.Request, resp: falcon.Response, user_id: str) -> None:
        principal, is_admin = principal_of(req), _read_role(read_json(req))
        self._deps.database.change(lambda db: change_role(db, principal, user_id, is_admin=is_admin))
        answer_json(resp, {"status": "ok", "user_id": user_id, "is_admin": is_admin})

    def on_post_link(self, req: falcon.Request, resp: falcon.Response, user_id: str) -> None:
        principal, now_ms = principal_of(req), self._deps.now_ms()
        url = self._deps.database.change(lambda db: recovery_link(self._deps, db, principal, user_id, now_ms))
        answer_json(resp, {"url": url, "expires_in_s": self._deps.settings.auth.login_link_ttl_secs})


class Invites:
    """/v1/admin/invites …"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        with self._deps.database.reader() as db:
            rows = list_invites(db)
        answer_json(
            resp,
            [
                {
                    "id": row.id,
                    "token": f"{row.token_prefix}…",  # stored hashed: the full token was shown once
                    "created_at": row.created_at,
                    "expires_at": row.expires_at,
                    "used": row.used_at is not None,
                    "created_by": row.created_by_name,
                    "used_by": row.used_by_name,
                    "name": row.name,
                    "email": row.email,
                    "mailed_at": row.mailed_at,
                }
                for row in rows
            ],
        )

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = read_optional_json(req)
        made = invite(self._deps, principal_of(req), name=text_in(body, "name"), email=text_in(body, "email"))
        answer = {"id": made.invite.id, "token": made.invite.token, "expires_at": made.invite.expires_at}
        mail = {} if made.mail is None else {"mail": made.mail._asdict()}
        answer_json(resp, {**answer, "url": made.url, **mail})

    def on_delete_one(self, req: falcon.Request, resp: falcon.Response, invite_id: str) -> None:
        self._deps.database.change(lambda db: revoke_invite(db, invite_id))
        answer_json(resp, {"status": "ok"})


class Reset:
    """POST /v1/admin/reset: remove all accounts, and revoke their API tokens; everything else stays."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._cookie = deps, SignInCookie(deps.settings)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        if read_json(req).get("confirm") is not True:
            raise Declined('send {"confirm": true} to remove every account')
        actor_id, now_ms = principal_of(req).id, self._deps.now_ms()
        keeps = read_keeps_tokens(req.get_param("tokens"))
        self._deps.database.change(
            lambda db: remove_all_accounts(db, actor_id=actor_id, via=API, now_ms=now_ms, keeps_tokens=keeps)
        )
        self._cookie.clear_cookie(resp)
        answer_json(resp, {"status": "ok"})


class SentInvite(NamedTuple):
    """A new invitation and its link. `mail` is None when it was not to be sent."""

    invite: NewInvite
    url: str
    mail: MailOutcome | None


def invite(deps: Deps, principal: Principal, *, name: str = "", email: str = "") -> SentInvite:
    """Create an invitation and send it to `email`, if there is one (INVITE-MAIL-1).

    Raises:
        InvalidField: the name or the address.
    """
    email, name, now_ms = validated_email(email), name.strip(), deps.now_ms()
    created = deps.database.change(
        lambda db: create_invite(db, created_by=creator_id(principal), now_ms=now_ms, name=name, email=email)
    )
    url = f"{deps.settings.auth.rp_origin.rstrip('/')}{SIGN_IN_PATH}?invite={created.token}"
    if not email:
        return SentInvite(created, url, None)
    by = principal.name if principal.kind is PrincipalKind.USER else ""
    outcome = send_invitation(deps.settings, created, url, email=email, name=name, invited_by=by)
    if outcome.sent:
        deps.database.change(lambda db: mark_mailed(db, created.id, now_ms))
    return SentInvite(created, url, outcome)


# Changes that the pages make too. Call inside a transaction -----------------------------------------------------------


def change_role(db: Db, principal: Principal, user_id: str, *, is_admin: bool) -> None:
    """Raises: Declined for your own account, NotFound, Conflict for the last admin."""
    if user_id == principal.id:
        raise Declined("cannot change your own role")
    set_role(db, user_id, is_admin=is_admin)


def remove_person(
    db: Db, principal: Principal, user_id: str, *, keeps_tokens: bool, via: str, now_ms: int
) -> Mapping[str, int]:
    """How many rows of each kind were settled; what stays becomes the admin's (REMOVAL-2).

    Raises:
        Declined: it is your own account.
        Conflict: it is the last admin.
    """
    if user_id == principal.id:
        raise Declined("cannot delete yourself")
    return remove_account(
        db, Removal(user_id, get_user(db, principal.id), principal.id, via, now_ms, keeps_tokens=keeps_tokens)
    )


def read_keeps_tokens(text: str | None) -> bool:
    """From `tokens=revoke`, which an absent one means, or `tokens=keep`. Raises: InvalidParameter."""
    if text and text not in (REVOKE, KEEP):
        raise InvalidParameter("tokens", f"must be {REVOKE} or {KEEP}")
    return text == KEEP


def recovery_link(deps: Deps, db: Db, principal: Principal, user_id: str, now_ms: int) -> str:
    """The URL that signs this user in once. Raises: NotFound."""
    if get_user(db, user_id) is None:
        raise NotFound("user not found")
    ttl_s = deps.settings.auth.login_link_ttl_secs
    token = create_login_link(db, now_ms=now_ms, ttl_s=ttl_s, user_id=user_id, created_by=creator_id(principal))
    return f"{deps.settings.auth.rp_origin.rstrip('/')}{SIGN_IN_PATH}?token={token}"


def _user(row: UserRow) -> dict[str, Any]:
    return {"id": row.id, "username": row.username, "is_admin": row.is_admin, "created_at": row.created_at}


def _read_role(body: dict[str, Any]) -> bool:
    """From `{"is_admin": true}` or `{"role": "admin"}`.

    Raises:
        Declined: neither, or both and they differ.
    """
    roles: list[bool | None] = []
    if "is_admin" in body:
        roles.append(body["is_admin"] if isinstance(body["is_admin"], bool) else None)
    if "role" in body:
        roles.append(ROLES.get(body["role"]) if isinstance(body["role"], str) else None)
    if len(set(roles)) != 1 or roles[0] is None:
        raise Declined('send {"is_admin": true} or {"is_admin": false}')
    return bool(roles[0])
