"""One-time links: into the set-up while there is no account, later for one person who has lost their passkey.

LL1  A link works once, also when two browsers press the button at the same moment: consuming is one UPDATE.
LL2  Looking at a link does not use it up: mail clients and chat previews open links by themselves.
LL3  A link without a person is good only while nobody has an account, whenever it was made.
"""

from __future__ import annotations

from typing import NamedTuple

from bloop.base import credentials
from bloop.base.clock import DAY_MS
from bloop.db.engine import Db

_INSERT = """
INSERT INTO login_links (token_hash, created_at_ms, expires_at_ms, user_id, created_by)
VALUES (:token_hash, :created_at_ms, :expires_at_ms, :user_id, :created_by)
"""
_FORGET = "DELETE FROM login_links WHERE expires_at_ms < :before_ms"
_CONSUME = """
UPDATE login_links
   SET used_at_ms = :now_ms
 WHERE token_hash = :token_hash AND used_at_ms IS NULL AND expires_at_ms > :now_ms
   AND (user_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM webauthn_users))
RETURNING user_id
"""


class Consumed(NamedTuple):
    """A link that was good. Truthy, unlike the None of one that was not."""

    user_id: str | None  # None: the set-up link


def create_login_link(
    db: Db, *, now_ms: int, ttl_s: int, user_id: str | None = None, created_by: str | None = None
) -> str:
    """The token to put behind `/auth/login?token=`. Forgets links that ran out more than a day ago."""
    token = credentials.new_token()
    forget_links(db, now_ms)
    row = {"token_hash": credentials.token_hash(token), "created_at_ms": now_ms, "expires_at_ms": now_ms + ttl_s * 1000}
    db.execute(_INSERT, row | {"user_id": user_id, "created_by": created_by})
    return token


def forget_links(db: Db, now_ms: int) -> None:
    """Links that ran out more than a day ago."""
    db.execute(_FORGET, {"before_ms": now_ms - DAY_MS})


def consume_login_link(db: Db, token: str, now_ms: int) -> Consumed | None:
    """Whom it is for, for exactly one caller per link, and only while the link is good (LL1, LL3)."""
    return consume_link_of(db, credentials.token_hash(token), now_ms)


def consume_link_of(db: Db, token_hash: str, now_ms: int) -> Consumed | None:
    """The same for who kept only the hash of the token."""
    rows = list(db.execute(_CONSUME, {"token_hash": token_hash, "now_ms": now_ms}))
    return Consumed(rows[0][0]) if rows else None
