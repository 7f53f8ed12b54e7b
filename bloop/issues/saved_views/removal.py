"""Views of an account that is removed: its own go with it, those it shared stay for everybody."""

from __future__ import annotations

from bloop.accounts.people.model import Belongings, Removal
from bloop.db.engine import Db

# All served by saved_views_by_owner (is_shared, owner_id, place).
_COUNT = "SELECT owner_id, count(*) FROM saved_views WHERE is_shared = 0 GROUP BY owner_id"
_DELETE = "DELETE FROM saved_views WHERE is_shared = 0 AND owner_id = :user_id"
_HAND_OVER = "UPDATE saved_views SET owner_id = :heir_id WHERE is_shared = 1 AND owner_id = :user_id"
_OPERATOR = "operator"


def _count(db: Db) -> dict[str, int]:
    return dict(db.execute(_COUNT))


def _settle(db: Db, removal: Removal) -> int:
    db.execute(_HAND_OVER, {"user_id": removal.user_id, "heir_id": removal.heir_id or _OPERATOR})
    db.execute(_DELETE, {"user_id": removal.user_id})
    return db.changes()


VIEWS = Belongings("views", _count, _settle)
