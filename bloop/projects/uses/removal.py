"""Pins and recent projects of an account that is removed go with it."""

from __future__ import annotations

from bloop.accounts.people.model import Belongings, Removal
from bloop.db.engine import Db

_COUNT = "SELECT user_id, count(*) FROM project_uses WHERE pinned_at_ms IS NOT NULL GROUP BY user_id"
# Served by the primary key.
_DELETE = "DELETE FROM project_uses WHERE user_id = :user_id"


def _count(db: Db) -> dict[str, int]:
    return dict(db.execute(_COUNT))


def _settle(db: Db, removal: Removal) -> int:
    db.execute(_DELETE, {"user_id": removal.user_id})
    return db.changes()


USES = Belongings("pins", _count, _settle)
