"""API tokens of an account that is removed: revoked, or kept as the remover's."""

from __future__ import annotations

from bloop.accounts.people.model import Belongings, Removal
from bloop.db.engine import Db

# An installation has few tokens: no index.
_COUNT = """
SELECT created_by, count(*)
  FROM api_tokens
 WHERE created_by IS NOT NULL AND revoked_at IS NULL
 GROUP BY created_by
"""
_REVOKE = "UPDATE api_tokens SET revoked_at = :now_s WHERE created_by = :user_id AND revoked_at IS NULL"
_HAND_OVER = "UPDATE api_tokens SET created_by = :heir_id WHERE created_by = :user_id AND revoked_at IS NULL"


def _count(db: Db) -> dict[str, int]:
    return dict(db.execute(_COUNT))


def _settle(db: Db, removal: Removal) -> int:
    if removal.keeps_tokens:
        db.execute(_HAND_OVER, {"user_id": removal.user_id, "heir_id": removal.heir_id})
    else:
        db.execute(_REVOKE, {"user_id": removal.user_id, "now_s": removal.now_ms // 1000})
    return db.changes()


TOKENS = Belongings("tokens", _count, _settle)
