"""Invitations: a link that lets one person create an account. Stored hashed, shown once. Call inside a transaction.

INVITE-1  An invite creates one account: one UPDATE consumes it, in the transaction that creates the user.
INVITE-2  An invite is valid for seven days, unless an admin revokes it.
"""

from __future__ import annotations

from typing import NamedTuple

from bloop.base import credentials
from bloop.base.errors import InvalidField, NotFound
from bloop.db.engine import Db

DAY_S = 86_400
TTL_S = 7 * DAY_S
PREFIX_LENGTH = 8
NAME_LENGTH_MAX = 100
KEPT_S = 30 * DAY_S  # how long a used or expired invite stays in the list

_INSERT = """
INSERT INTO invites (id, token_hash, token_prefix, created_by, created_at, expires_at, name, email)
VALUES (:id, :token_hash, :token_prefix, :created_by, :created_at, :expires_at, :name, :email)
"""
_MAILED = "UPDATE invites SET mailed_at = :now_s WHERE id = :id"
_DELETE_EXPIRED = "DELETE FROM invites WHERE created_at < :before_s AND expires_at < :before_s"
_CONSUME = """
UPDATE invites
   SET used_at = :now_s, used_by = :user_id
 WHERE token_hash = :token_hash AND used_at IS NULL AND expires_at > :now_s
RETURNING id
"""
_DELETE = "DELETE FROM invites WHERE id = :id AND used_at IS NULL RETURNING id"


class NewInvite(NamedTuple):
    id: str
    token: str  # in clear: only its hash is stored
    created_at: int  # seconds
    expires_at: int  # seconds


def create_invite(db: Db, *, created_by: str | None, now_ms: int, name: str = "", email: str = "") -> NewInvite:
    """Store an invite for `name`, which is a note for the list. Also deletes invites that expired KEPT_S ago.

    Raises:
        InvalidField: the name is too long or has a line break.
    """
    name, now_s = _validated_name(name), now_ms // 1000
    invite = NewInvite(credentials.new_id(), credentials.new_token(), now_s, now_s + TTL_S)
    delete_expired_invites(db, now_ms)
    row = {
        "id": invite.id,
        "token_hash": credentials.token_hash(invite.token),
        "token_prefix": invite.token[:PREFIX_LENGTH],
        "created_by": created_by,
        "created_at": invite.created_at,
        "expires_at": invite.expires_at,
        "name": name,
        "email": email,
    }
    db.execute(_INSERT, row)
    return invite


def mark_mailed(db: Db, invite_id: str, now_ms: int) -> None:
    """A mail server accepted a mail with the link."""
    db.execute(_MAILED, {"id": invite_id, "now_s": now_ms // 1000})


def delete_expired_invites(db: Db, now_ms: int) -> None:
    """Delete invites that expired more than KEPT_S ago."""
    db.execute(_DELETE_EXPIRED, {"before_s": now_ms // 1000 - KEPT_S})


def consume_invite(db: Db, token_hash: str, *, user_id: str, now_ms: int) -> bool:
    """True for exactly one caller per invite, and only while it is valid (INVITE-1)."""
    row = {"token_hash": token_hash, "user_id": user_id, "now_s": now_ms // 1000}
    return bool(list(db.execute(_CONSUME, row)))


def revoke_invite(db: Db, invite_id: str) -> None:
    """Raises: NotFound, also for a used invite."""
    if not list(db.execute(_DELETE, {"id": invite_id})):
        raise NotFound("invite not found or already used")


def _validated_name(name: str) -> str:
    name = name.strip()
    if len(name) > NAME_LENGTH_MAX:
        raise InvalidField("name", f"name must be at most {NAME_LENGTH_MAX} characters")
    if not name.isprintable():
        raise InvalidField("name", "name must be one line of text")
    return name
