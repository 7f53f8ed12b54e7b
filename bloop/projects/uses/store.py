"""Notes which projects a person opens and pins. Call inside a transaction.

USES-1  A person has at most PINS_MAX pins, and RECENT_MAX projects that are not pinned: the oldest goes.
"""

from __future__ import annotations

from bloop.base.errors import Conflict
from bloop.db.engine import Db

PINS_MAX = 20
RECENT_MAX = 20

# All served by the primary key (user_id, project_id).
_TOUCH = """
INSERT INTO project_uses (user_id, project_id, used_at_ms) VALUES (:user_id, :project_id, :now_ms)
    ON CONFLICT (user_id, project_id) DO UPDATE SET used_at_ms = excluded.used_at_ms
"""
_TRIM = """
DELETE FROM project_uses
 WHERE user_id = :user_id AND pinned_at_ms IS NULL
   AND project_id IN (SELECT project_id FROM project_uses WHERE user_id = :user_id AND pinned_at_ms IS NULL
                       ORDER BY used_at_ms DESC, project_id LIMIT 1000 OFFSET :kept)
"""
_COUNT_PINS = """
SELECT count(*)
  FROM project_uses
 WHERE user_id = :user_id AND pinned_at_ms IS NOT NULL AND project_id <> :project_id
"""
_PIN = """
INSERT INTO project_uses (user_id, project_id, used_at_ms, pinned_at_ms)
VALUES (:user_id, :project_id, :now_ms, :now_ms)
    ON CONFLICT (user_id, project_id)
    DO UPDATE SET pinned_at_ms = coalesce(project_uses.pinned_at_ms, excluded.pinned_at_ms)
"""
_UNPIN = "UPDATE project_uses SET pinned_at_ms = NULL WHERE user_id = :user_id AND project_id = :project_id"


def note_use(db: Db, user_id: str, project_id: int, now_ms: int) -> None:
    """The person opened the project just now."""
    db.execute(_TOUCH, {"user_id": user_id, "project_id": project_id, "now_ms": now_ms})
    db.execute(_TRIM, {"user_id": user_id, "kept": RECENT_MAX})


def pin(db: Db, user_id: str, project_id: int, now_ms: int) -> None:
    """Pin a project; one that is pinned stays where it is.

    Raises:
        Conflict: there are PINS_MAX others.
    """
    (others,) = db.execute(_COUNT_PINS, {"user_id": user_id, "project_id": project_id}).fetchone() or (0,)
    if others >= PINS_MAX:
        raise Conflict(f"at most {PINS_MAX} projects can be pinned: unpin another one first")
    db.execute(_PIN, {"user_id": user_id, "project_id": project_id, "now_ms": now_ms})


def unpin(db: Db, user_id: str, project_id: int) -> None:
    db.execute(_UNPIN, {"user_id": user_id, "project_id": project_id})
    db.execute(_TRIM, {"user_id": user_id, "kept": RECENT_MAX})
