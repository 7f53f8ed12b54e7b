"""Signed-in browsers. The cookie's value is stored as its hash only; no sliding renewal. Call inside a transaction."""

from __future__ import annotations

from typing import NamedTuple

import apsw

from bloop.base import credentials

SWEEP_ROWS_MAX = 1000
HANDLE_LENGTH = 16  # characters of the stored hash that name a session on its owner's page

_INSERT = """
INSERT INTO sessions (token, user_id, created_at, expires_at, agent, network, last_seen_at)
VALUES (:token, :user_id, :created_at, :expires_at, :agent, :network, :created_at)
"""
_DELETE = "DELETE FROM sessions WHERE token = :token"
_TOUCH = "UPDATE sessions SET last_seen_at = :now_s WHERE token = :token"
# Served by sessions_by_user.
_END = "DELETE FROM sessions WHERE user_id = :user_id AND substr(token, 1, 16) = :handle RETURNING 1"
_END_OTHERS = "DELETE FROM sessions WHERE user_id = :user_id AND token <> :token RETURNING 1"
# Served by sessions_by_expiry.
_SWEEP = """
DELETE FROM sessions
 WHERE token IN (SELECT token FROM sessions WHERE expires_at <= :now_s ORDER BY expires_at LIMIT :limit)
RETURNING 1
"""


class Browser(NamedTuple):
    """What its owner recognises a session by."""

    agent: str = ""  # 'Firefox on Linux'
    network: str = ""  # '192.0.2.0/24'


UNKNOWN = Browser()


def create_session(
    db: apsw.Connection, user_id: str | None, *, now_ms: int, ttl_s: int, browser: Browser = UNKNOWN
) -> str:
    """The value for the cookie; `user_id` None is the operator, let in by the set-up link."""
    token, now_s = credentials.new_token(), now_ms // 1000
    row = {"token": credentials.token_hash(token), "user_id": user_id, "created_at": now_s, "expires_at": now_s + ttl_s}
    db.execute(_INSERT, row | browser._asdict())
    return token


def touch_session(db: apsw.Connection, token_hash: str, now_ms: int) -> None:
    """Note that it was used."""
    db.execute(_TOUCH, {"token": token_hash, "now_s": now_ms // 1000})


def end_session(db: apsw.Connection, user_id: str, handle: str) -> None:
    """End one of this person's sessions; one that is gone already is fine."""
    db.execute(_END, {"user_id": user_id, "handle": handle})


def end_other_sessions(db: apsw.Connection, user_id: str, token: str) -> int:
    """End all of this person's sessions but the one of this cookie; return how many."""
    return len(list(db.execute(_END_OTHERS, {"user_id": user_id, "token": credentials.token_hash(token)})))


def delete_session(db: apsw.Connection, token: str) -> None:
    """Sign this browser out; an unknown token is fine."""
    db.execute(_DELETE, {"token": credentials.token_hash(token)})


def sweep_sessions(db: apsw.Connection, now_ms: int) -> int:
    """Delete expired sessions, oldest first and at most SWEEP_ROWS_MAX; return how many."""
    return len(list(db.execute(_SWEEP, {"now_s": now_ms // 1000, "limit": SWEEP_ROWS_MAX})))
