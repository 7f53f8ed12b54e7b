"""Signed-in browsers. The cookie's value is stored as its hash only; no sliding renewal. Call inside a transaction."""

from __future__ import annotations

import apsw

from bloop import credentials

SWEEP_ROWS_MAX = 1000

_INSERT = """
INSERT INTO sessions (token, user_id, created_at, expires_at) VALUES (:token, :user_id, :created_at, :expires_at)
"""
_DELETE = "DELETE FROM sessions WHERE token = :token"
# Served by sessions_by_expiry.
_SWEEP = """
DELETE FROM sessions
 WHERE token IN (SELECT token FROM sessions WHERE expires_at <= :now_s ORDER BY expires_at LIMIT :limit)
RETURNING 1
"""


def create_session(db: apsw.Connection, user_id: str | None, *, now_ms: int, ttl_s: int) -> str:
    """The value for the cookie; `user_id` None is the operator, let in by a one-time link."""
    token, now_s = credentials.new_token(), now_ms // 1000
    row = {"token": credentials.token_hash(token), "user_id": user_id, "created_at": now_s, "expires_at": now_s + ttl_s}
    db.execute(_INSERT, row)
    return token


def delete_session(db: apsw.Connection, token: str) -> None:
    """Sign this browser out; an unknown token is fine."""
    db.execute(_DELETE, {"token": credentials.token_hash(token)})


def sweep_sessions(db: apsw.Connection, now_ms: int) -> int:
    """Delete expired sessions, oldest first and at most SWEEP_ROWS_MAX; return how many."""
    return len(list(db.execute(_SWEEP, {"now_s": now_ms // 1000, "limit": SWEEP_ROWS_MAX})))
