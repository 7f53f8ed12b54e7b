"""Invitations: the admin's list, and whether a link is valid."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db

ROWS_MAX = 200


class InviteRow(NamedTuple):
    id: str
    token_prefix: str
    created_by_name: str | None
    created_at: int  # seconds
    expires_at: int  # seconds
    used_at: int | None  # seconds
    used_by_name: str | None
    name: str  # for whom, as the inviting person wrote it; may be empty
    email: str  # where it was to be sent; "" nowhere
    mailed_at: int | None  # seconds; None: no server accepted a mail with its link


# Served by invites_by_age.
_SELECT_ALL = """
SELECT i.id, i.token_prefix, c.username, i.created_at, i.expires_at, i.used_at, u.username,
       i.name, i.email, i.mailed_at
  FROM invites AS i
  LEFT JOIN webauthn_users AS c ON c.id = i.created_by
  LEFT JOIN webauthn_users AS u ON u.id = i.used_by
 ORDER BY i.created_at DESC
 LIMIT :limit
"""
# Served by the UNIQUE index of token_hash.
_SELECT_IS_VALID = """
SELECT EXISTS (SELECT 1 FROM invites WHERE token_hash = :token_hash AND used_at IS NULL AND expires_at > :now_s)
"""


def list_invites(db: Db) -> list[InviteRow]:
    """Newest first, used and expired ones included, at most ROWS_MAX."""
    return [InviteRow(*row) for row in db.execute(_SELECT_ALL, {"limit": ROWS_MAX})]


def is_valid_invite(db: Db, token_hash: str, now_ms: int) -> bool:
    """Whether this invite would be accepted right now."""
    row = db.execute(_SELECT_IS_VALID, {"token_hash": token_hash, "now_s": now_ms // 1000}).fetchone()
    return bool(row and row[0])
