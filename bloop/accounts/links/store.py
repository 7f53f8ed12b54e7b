"""One-time links: a set-up link while there is no account, later a sign-in link for a user who lost their passkey.

LINK-1  A link works once, also when two browsers press the button at the same moment: one UPDATE consumes it.
LINK-2  Opening a link does not consume it: mail clients and chat previews open links by themselves.
LINK-3  A link without a user is valid only while there is no account, even if it was created before the first one.
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
_DELETE_EXPIRED = "DELETE FROM login_links WHERE expires_at_ms < :before_ms"
_CONSUME = """
UPDATE login_links
   SET used_at_ms = :now_ms
 WHERE token_hash = :token_hash AND used_at_ms IS NULL AND expires_at_ms > :now_ms
   AND (user_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM webauthn_users))
RETURNING user_id
"""


class ConsumedLink(NamedTuple):
    """A valid link, now consumed. Truthy even for the set-up link, unlike the None of an invalid one."""

    user_id: str | None  # None: the set-up link


def create_login_link(
    db: Db, *, now_ms: int, ttl_s: int, user_id: str | None = None, created_by: str | None = None
) -> str:
    """The token for `/auth/login?token=`. Also deletes links that expired more than a day ago."""
    token = credentials.new_token()
    delete_expired_links(db, now_ms)
    row = {"token_hash": credentials.token_hash(token), "created_at_ms": now_ms, "expires_at_ms": now_ms + ttl_s * 1000}
    db.execute(_INSERT, row | {"user_id": user_id, "created_by": created_by})
    return token


def delete_expired_links(db: Db, now_ms: int) -> None:
    """Delete links that expired more than a day ago."""
    db.execute(_DELETE_EXPIRED, {"before_ms": now_ms - DAY_MS})


def consume_login_link(db: Db, token: str, now_ms: int) -> ConsumedLink | None:
    """The link, for exactly one caller and only while it is valid (LINK-1, LINK-3)."""
    return consume_login_link_by_hash(db, credentials.token_hash(token), now_ms)


def consume_login_link_by_hash(db: Db, token_hash: str, now_ms: int) -> ConsumedLink | None:
    """As consume_login_link, for a caller that kept only the token's hash."""
    rows = list(db.execute(_CONSUME, {"token_hash": token_hash, "now_ms": now_ms}))
    return ConsumedLink(rows[0][0]) if rows else None
