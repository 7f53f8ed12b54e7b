"""Notes which issues a person opened. Call inside a transaction.

SEEN-3  A person has at most VIEWS_MAX rows. When there are more, the oldest PRUNED go, and what began before they were
    opened counts as seen from then on.
"""

from __future__ import annotations

from collections.abc import Sequence

from bloop.db.engine import Db, ids_json

VIEWS_MAX = 10_000
PRUNED = 500  # so that one in so many looks deletes rows

_UPSERT = """
INSERT INTO issue_views (user_id, issue_id, seen_at_ms)
SELECT :user_id, i.id, :now_ms FROM json_each(:issue_ids) AS wanted JOIN issues AS i ON i.id = wanted.value
 WHERE i.project_id > 0
    ON CONFLICT (user_id, issue_id) DO UPDATE SET seen_at_ms = max(issue_views.seen_at_ms, excluded.seen_at_ms)
"""
# Served by issue_views_by_time (user_id, seen_at_ms).
_COUNT = "SELECT count(*) FROM issue_views WHERE user_id = :user_id"
_SELECT_OLDEST = """
SELECT issue_id, seen_at_ms FROM issue_views WHERE user_id = :user_id ORDER BY seen_at_ms LIMIT :rows_max
"""
_DELETE = """
DELETE FROM issue_views WHERE user_id = :user_id AND issue_id IN (SELECT value FROM json_each(:issue_ids))
"""
_RAISE_MARK = """
INSERT INTO issue_view_marks (user_id, seen_to_ms) VALUES (:user_id, :seen_to_ms)
    ON CONFLICT (user_id) DO UPDATE SET seen_to_ms = max(issue_view_marks.seen_to_ms, excluded.seen_to_ms)
"""


def mark_seen(db: Db, user_id: str, issue_ids: Sequence[int], now_ms: int) -> None:
    """The account has opened these issues (SEEN-3)."""
    db.execute(_UPSERT, {"user_id": user_id, "issue_ids": ids_json(issue_ids), "now_ms": now_ms})
    excess = int(db.execute(_COUNT, {"user_id": user_id}).get or 0) - VIEWS_MAX
    if excess > 0:
        oldest = db.execute(_SELECT_OLDEST, {"user_id": user_id, "rows_max": excess + PRUNED}).fetchall()
        db.execute(_DELETE, {"user_id": user_id, "issue_ids": ids_json([row[0] for row in oldest])})
        mark_all_seen(db, user_id, oldest[-1][1])


def mark_all_seen(db: Db, user_id: str, to_ms: int) -> None:
    """All that began by `to_ms` counts as seen."""
    db.execute(_RAISE_MARK, {"user_id": user_id, "seen_to_ms": to_ms})
