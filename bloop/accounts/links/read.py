"""Looks up a one-time link without consuming it."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class LoginLink(NamedTuple):
    """`username` None: the set-up link."""

    user_id: str | None
    username: str | None


# Served by the primary key of login_links.
_SELECT = """
SELECT l.user_id, u.username
  FROM login_links AS l
  LEFT JOIN webauthn_users AS u ON u.id = l.user_id
 WHERE l.token_hash = :token_hash AND l.used_at_ms IS NULL AND l.expires_at_ms > :now_ms
   AND (l.user_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM webauthn_users))
"""


def find_link(db: Db, token_hash: str, now_ms: int) -> LoginLink | None:
    """The link, if it is still valid."""
    row = db.execute(_SELECT, {"token_hash": token_hash, "now_ms": now_ms}).fetchone()
    return LoginLink(*row) if row else None
