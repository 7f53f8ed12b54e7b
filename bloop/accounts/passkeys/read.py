"""Passkeys, for sign-in and for their owner's page; and the key that seals challenges."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class PasskeyRow(NamedTuple):
    id: str
    user_id: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: str  # space separated
    name: str
    is_synced: bool
    created_at: int  # seconds
    last_used_at: int | None  # seconds
    suspect_at: int | None  # seconds


_SELECT_OF_USER = """
SELECT id, user_id, credential_id, public_key, sign_count, transports, name, is_synced, created_at, last_used_at,
       suspect_at
  FROM passkeys
 WHERE user_id = :user_id
 ORDER BY created_at
"""
# Served by the UNIQUE index of credential_id.
_SELECT_BY_CREDENTIAL = """
SELECT id, user_id, credential_id, public_key, sign_count, transports, name, is_synced, created_at, last_used_at,
       suspect_at
  FROM passkeys
 WHERE credential_id = :credential_id
"""
_SELECT_EXISTS = "SELECT EXISTS (SELECT 1 FROM passkeys)"
_SELECT_KEY = "SELECT value FROM secrets WHERE name = 'challenges'"


def list_passkeys(db: Db, user_id: str) -> list[PasskeyRow]:
    """Oldest first."""
    return [PasskeyRow(*row) for row in db.execute(_SELECT_OF_USER, {"user_id": user_id})]


def find_passkey(db: Db, credential_id: bytes) -> PasskeyRow | None:
    """By the authenticator's id of it."""
    row = db.execute(_SELECT_BY_CREDENTIAL, {"credential_id": credential_id}).fetchone()
    return PasskeyRow(*row) if row else None


def has_passkeys(db: Db) -> bool:
    row = db.execute(_SELECT_EXISTS).fetchone()
    return bool(row and row[0])


def challenge_key(db: Db) -> bytes:
    """32 random bytes stored only in this database."""
    row = db.execute(_SELECT_KEY).fetchone()
    assert row is not None, "migration 0002 created it"
    return bytes(row[0])
