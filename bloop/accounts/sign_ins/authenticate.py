"""Cookie → principal: the session a browser is signed in with."""

from __future__ import annotations

from bloop.accounts.sign_ins.read import SignInRow, find_sign_in
from bloop.accounts.sign_ins.store import touch_sign_in
from bloop.auth import scopes
from bloop.auth.principal import Principal, PrincipalKind
from bloop.base import credentials
from bloop.db.engine import Db
from bloop.site.access import Credential

OPERATOR = "operator"


def find_by_cookie(db: Db, cookie: str, now_ms: int) -> Credential | None:
    """The session of this cookie; None when it has ended or never was one."""
    token_hash = credentials.token_hash(cookie)
    session = find_sign_in(db, token_hash, now_ms)
    if session is None:
        return None
    return Credential(_principal(session), session.last_seen_at, lambda db: touch_sign_in(db, token_hash, now_ms))


def _principal(session: SignInRow) -> Principal:
    if session.user_id is None:
        return Principal(PrincipalKind.OPERATOR, OPERATOR, OPERATOR, None, scopes.ALL, is_admin=True)
    name = session.display_name or session.username or session.user_id
    return Principal(PrincipalKind.USER, session.user_id, name, None, scopes.ALL, is_admin=session.is_admin)
