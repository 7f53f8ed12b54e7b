"""Who is behind a session cookie, and whether a sign-in link is still good."""

from __future__ import annotations

from typing import NamedTuple

import apsw


class SessionRow(NamedTuple):
    user_id: str | None  # None: the operator
    username: str | None
    display_name: str | None
    is_admin: bool
    expires_at: int  # seconds


# Served by the primary key of sessions. A session of a user who is gone went with them (ON DELETE CASCADE).
_SELECT = """
SELECT s.user_id, u.username, u.display_name, coalesce(u.is_admin, 0), s.expires_at
  FROM sessions AS s
  LEFT JOIN webauthn_users AS u ON u.id = s.user_id
 WHERE s.token = :token_hash AND s.expires_at > :now_s
"""
_SELECT_HAS_USERS = "SELECT EXISTS (SELECT 1 FROM webauthn_users)"


def find_session(db: apsw.Connection, token_hash: str, now_ms: int) -> SessionRow | None:
    """The session whose cookie has this hash, unless it has expired."""
    row = db.execute(_SELECT, {"token_hash": token_hash, "now_s": now_ms // 1000}).fetchone()
    if row is None:
        return None
    user_id, username, display_name, is_admin, expires_at = row
    return SessionRow(user_id, username, display_name, bool(is_admin), expires_at)


def has_users(db: apsw.Connection) -> bool:
    row = db.execute(_SELECT_HAS_USERS).fetchone()
    return bool(row and row[0])
