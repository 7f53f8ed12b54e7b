"""Sign-ins: browsers that are signed in (*session* means release health). Call inside a transaction.

Only the hash of the cookie's value is stored. No sliding renewal.
"""

from __future__ import annotations

from typing import NamedTuple

from bloop.base import credentials
from bloop.db.engine import Db

SWEEP_ROWS_MAX = 1000
HANDLE_LENGTH = 16  # characters of the stored hash that name a sign-in on its owner's page

_INSERT = """
INSERT INTO sign_ins (token, user_id, created_at, expires_at, agent, network, last_seen_at)
VALUES (:token, :user_id, :created_at, :expires_at, :agent, :network, :created_at)
"""
_DELETE = "DELETE FROM sign_ins WHERE token = :token"
_TOUCH = "UPDATE sign_ins SET last_seen_at = :now_s WHERE token = :token"
# Served by sign_ins_by_user.
_END = "DELETE FROM sign_ins WHERE user_id = :user_id AND substr(token, 1, 16) = :handle RETURNING 1"
_END_OTHERS = "DELETE FROM sign_ins WHERE user_id = :user_id AND token <> :token RETURNING 1"
# Served by sign_ins_by_expiry.
_SWEEP = """
DELETE FROM sign_ins
 WHERE token IN (SELECT token FROM sign_ins WHERE expires_at <= :now_s ORDER BY expires_at LIMIT :limit)
RETURNING 1
"""


class Browser(NamedTuple):
    """Shown so that the owner recognises a sign-in."""

    agent: str = ""  # 'Firefox on Linux'
    network: str = ""  # '192.0.2.0/24'


UNKNOWN = Browser()


def create_sign_in(db: Db, user_id: str | None, *, now_ms: int, ttl_s: int, browser: Browser = UNKNOWN) -> str:
    """Return the cookie value; `user_id` None is the operator, signed in by the set-up link."""
    token, now_s = credentials.new_token(), now_ms // 1000
    row = {"token": credentials.token_hash(token), "user_id": user_id, "created_at": now_s, "expires_at": now_s + ttl_s}
    db.execute(_INSERT, row | browser._asdict())
    return token


def touch_sign_in(db: Db, token_hash: str, now_ms: int) -> None:
    """Store the time of its last use."""
    db.execute(_TOUCH, {"token": token_hash, "now_s": now_ms // 1000})


def end_sign_in(db: Db, user_id: str, handle: str) -> None:
    """End one of this user's sign-ins; an unknown handle is no error."""
    db.execute(_END, {"user_id": user_id, "handle": handle})


def end_other_sign_ins(db: Db, user_id: str, token: str) -> int:
    """End all of this user's sign-ins except this cookie's; return how many."""
    return len(list(db.execute(_END_OTHERS, {"user_id": user_id, "token": credentials.token_hash(token)})))


def delete_sign_in(db: Db, token: str) -> None:
    """Sign this browser out; an unknown token is no error."""
    db.execute(_DELETE, {"token": credentials.token_hash(token)})


def sweep_sign_ins(db: Db, now_ms: int) -> int:
    """Delete expired sign-ins, oldest first and at most SWEEP_ROWS_MAX; return how many."""
    return len(list(db.execute(_SWEEP, {"now_s": now_ms // 1000, "limit": SWEEP_ROWS_MAX})))
