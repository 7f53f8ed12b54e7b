"""Finds the principal of a sign-in cookie."""

from __future__ import annotations

from bloop.accounts.sign_ins.read import SignInRow, find_sign_in
from bloop.accounts.sign_ins.store import touch_sign_in
from bloop.auth import scopes
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base import credentials
from bloop.db.engine import Db
from bloop.site.access import Credential

OPERATOR = "operator"


def find_credential_by_cookie(db: Db, cookie: str, now_ms: int) -> Credential | None:
    """The credential of this cookie's sign-in; None when it is unknown or has ended."""
    token_hash = credentials.token_hash(cookie)
    sign_in = find_sign_in(db, token_hash, now_ms)
    if sign_in is None:
        return None
    return Credential(_principal(sign_in), sign_in.last_seen_at, lambda db: touch_sign_in(db, token_hash, now_ms))


def _principal(sign_in: SignInRow) -> Principal:
    if sign_in.user_id is None:
        return Principal(PrincipalKind.OPERATOR, OPERATOR, OPERATOR, None, scopes.ALL, is_admin=True)
    name = sign_in.display_name or sign_in.username or sign_in.user_id
    return Principal(PrincipalKind.USER, sign_in.user_id, name, None, scopes.ALL, is_admin=sign_in.is_admin)
