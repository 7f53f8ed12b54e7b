"""Adds, renames, uses and removes passkeys. Call inside a transaction.

PASSKEY-1  A user's last passkey is never removed: they could no longer sign in.
PASSKEY-2  A signature counter only grows. A use is stored by compare-and-set, so of two answers with the same count
           one fails.
PASSKEY-3  A challenge is spent once, in the transaction that acts on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bloop.base import credentials
from bloop.base.errors import Conflict, Declined, NotFound
from bloop.db.engine import Db

NAME_LENGTH_MAX = 64
PER_USER_MAX = 20
TRANSPORTS = ("usb", "nfc", "ble", "smart-card", "internal", "cable", "hybrid")

_INSERT = """
INSERT INTO passkeys (id, user_id, credential_id, public_key, sign_count, transports, name, is_synced, created_at)
VALUES (:id, :user_id, :credential_id, :public_key, :sign_count, :transports, :name, :is_synced, :created_at)
"""
_SELECT_TAKEN = "SELECT EXISTS (SELECT 1 FROM passkeys WHERE credential_id = :credential_id)"
_SELECT_COUNT = "SELECT count(*) FROM passkeys WHERE user_id = :user_id"
_RENAME = "UPDATE passkeys SET name = :name WHERE id = :id AND user_id = :user_id RETURNING id"
_DELETE = "DELETE FROM passkeys WHERE id = :id AND user_id = :user_id RETURNING id"
_USE = """
UPDATE passkeys
   SET sign_count = :sign_count, last_used_at = :now_s, is_synced = :is_synced
 WHERE id = :id AND sign_count = :expected
RETURNING id
"""
_SUSPECT = "UPDATE passkeys SET suspect_at = coalesce(suspect_at, :now_s) WHERE id = :id"
_SPEND = """
INSERT INTO spent_challenges (challenge_hash, expires_at_ms) VALUES (:challenge_hash, :expires_at_ms)
ON CONFLICT DO NOTHING
RETURNING 1
"""
_DELETE_EXPIRED = "DELETE FROM spent_challenges WHERE expires_at_ms < :now_ms"


def add_passkey(
    db: Db,
    user_id: str,
    *,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    transports: Iterable[str],
    name: str,
    is_synced: bool,
    now_ms: int,
) -> str:
    """Return the new passkey's id.

    Raises:
        Conflict: the authenticator's credential is registered already, or the user has PER_USER_MAX.
        Declined: the name is too long.
    """
    if _select_int(db, _SELECT_TAKEN, {"credential_id": credential_id}):
        raise Conflict("this passkey is registered already")
    if _select_int(db, _SELECT_COUNT, {"user_id": user_id}) >= PER_USER_MAX:
        raise Conflict(f"an account has at most {PER_USER_MAX} passkeys")
    row = {
        "id": credentials.new_id(),
        "user_id": user_id,
        "credential_id": credential_id,
        "public_key": public_key,
        "sign_count": sign_count,
        "transports": " ".join(known for known in TRANSPORTS if known in set(transports)),
        "name": validate_passkey_name(name),
        "is_synced": is_synced,
        "created_at": now_ms // 1000,
    }
    db.execute(_INSERT, row)
    return str(row["id"])


def rename_passkey(db: Db, user_id: str, passkey_id: str, name: str) -> None:
    """Raises: NotFound, Declined."""
    if not list(db.execute(_RENAME, {"id": passkey_id, "user_id": user_id, "name": validate_passkey_name(name)})):
        raise NotFound("passkey not found")


def remove_passkey(db: Db, user_id: str, passkey_id: str) -> None:
    """Raises: NotFound; Conflict when it is the only one (PASSKEY-1)."""
    if not list(db.execute(_DELETE, {"id": passkey_id, "user_id": user_id})):
        raise NotFound("passkey not found")
    if not _select_int(db, _SELECT_COUNT, {"user_id": user_id}):
        raise Conflict("this is your only passkey: add another one first")


def use_passkey(db: Db, passkey_id: str, *, expected: int, sign_count: int, is_synced: bool, now_ms: int) -> bool:
    """Store that it signed; False when its counter is no longer `expected`, or it was removed (PASSKEY-2)."""
    row = {"id": passkey_id, "expected": expected, "sign_count": sign_count, "is_synced": is_synced}
    return bool(list(db.execute(_USE, row | {"now_s": now_ms // 1000})))


def mark_suspect(db: Db, passkey_id: str, now_ms: int) -> None:
    """Its counter went backwards: store the first time this happened."""
    db.execute(_SUSPECT, {"id": passkey_id, "now_s": now_ms // 1000})


def spend_challenge(db: Db, challenge: bytes, *, expires_at_ms: int, now_ms: int) -> bool:
    """True for the first caller (PASSKEY-3). Only for verified answers, so that anonymous requests store nothing."""
    delete_expired_challenges(db, now_ms)
    row = {"challenge_hash": hashlib.sha256(challenge).digest(), "expires_at_ms": expires_at_ms}
    return bool(list(db.execute(_SPEND, row)))


def delete_expired_challenges(db: Db, now_ms: int) -> None:
    """Delete answered challenges that have expired."""
    db.execute(_DELETE_EXPIRED, {"now_ms": now_ms})


def validate_passkey_name(name: str) -> str:
    """The name with single spaces. Raises: Declined."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise Declined(f"a passkey's name has 1-{NAME_LENGTH_MAX} visible characters")
    return name


def _select_int(db: Db, statement: str, bindings: dict[str, str | bytes]) -> int:
    row = db.execute(statement, bindings).fetchone()
    assert row is not None, "an aggregate returns a row"
    return int(row[0])
