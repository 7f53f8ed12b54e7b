"""Sign-ins: by the cookie's hash, and all of one user."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class SignInRow(NamedTuple):
    user_id: str | None  # None: the operator
    username: str | None
    display_name: str | None
    is_admin: bool
    expires_at: int  # seconds
    last_seen_at: int | None  # seconds


class SignInSummary(NamedTuple):
    """A signed-in browser, as its owner sees it."""

    handle: str  # identifies it in a form
    agent: str
    network: str
    created_at: int  # seconds
    last_seen_at: int | None  # seconds


# Served by the primary key. Deleting a user deletes their sign-ins (ON DELETE CASCADE).
_SELECT = """
SELECT s.user_id, u.username, u.display_name, coalesce(u.is_admin, 0), s.expires_at, s.last_seen_at
  FROM sign_ins AS s
  LEFT JOIN webauthn_users AS u ON u.id = s.user_id
 WHERE s.token = :token_hash AND s.expires_at > :now_s
"""
# Served by sign_ins_by_user.
_SELECT_OF_USER = """
SELECT substr(token, 1, 16), agent, network, created_at, last_seen_at
  FROM sign_ins
 WHERE user_id = :user_id AND expires_at > :now_s
 ORDER BY coalesce(last_seen_at, created_at) DESC, created_at DESC
"""


def find_sign_in(db: Db, token_hash: str, now_ms: int) -> SignInRow | None:
    """The sign-in whose cookie has this hash, unless it has expired."""
    row = db.execute(_SELECT, {"token_hash": token_hash, "now_s": now_ms // 1000}).fetchone()
    if row is None:
        return None
    user_id, username, display_name, is_admin, expires_at, last_seen_at = row
    return SignInRow(user_id, username, display_name, bool(is_admin), expires_at, last_seen_at)


def list_sign_ins(db: Db, user_id: str, now_ms: int) -> list[SignInSummary]:
    """This user's valid sign-ins, the most recently used first."""
    return [SignInSummary(*row) for row in db.execute(_SELECT_OF_USER, {"user_id": user_id, "now_s": now_ms // 1000})]
