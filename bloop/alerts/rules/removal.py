"""Alert rules of an account that is removed. Their channels and webhooks go with them, and go on sending."""

from __future__ import annotations

from bloop.accounts.people.model import Belongings, Removal
from bloop.db.engine import Db

# At most RULES_MAX rules: no index.
_COUNT = "SELECT created_by, count(*) FROM alert_rules WHERE created_by IS NOT NULL GROUP BY created_by"
_HAND_OVER = "UPDATE alert_rules SET created_by = :heir_id WHERE created_by = :user_id"


def _count(db: Db) -> dict[str, int]:
    return dict(db.execute(_COUNT))


def _settle(db: Db, removal: Removal) -> int:
    db.execute(_HAND_OVER, {"user_id": removal.user_id, "heir_id": removal.heir_id})
    return db.changes()


RULES = Belongings("rules", _count, _settle)
