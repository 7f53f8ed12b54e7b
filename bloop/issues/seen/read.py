"""The issues that a person has not seen.

SEEN-1  An issue is unseen for a person who never opened it, or who opened it last before it regressed. What began
    before the person's mark is seen; the mark rises when old rows go, and when the person marks everything as seen.
SEEN-2  Only people with an account have marks: for tokens and the operator nothing is unseen.
"""

from __future__ import annotations

from collections.abc import Sequence

from bloop.db.engine import Db, ids_json

_SELECT_MARK = "SELECT seen_to_ms FROM issue_view_marks WHERE user_id = :user_id"
_HAS_USER = "SELECT 1 FROM webauthn_users WHERE id = :user_id"
# Served by status_changes_by_issue (issue_id, id), of issues that regressed; the others began with their first event.
_SELECT_BEGINNINGS = """
SELECT i.id, i.first_seen_ms,
       CASE WHEN i.times_regressed > 0
            THEN (SELECT max(c.changed_at_ms) FROM status_changes AS c
                   WHERE c.issue_id = i.id AND c.new_status = 'regressed' AND c.old_status <> 'regressed')
       END
  FROM json_each(:issue_ids) AS wanted
  JOIN issues AS i ON i.id = wanted.value
"""
# Served by the primary key (user_id, issue_id).
_SELECT_VIEWS = """
SELECT v.issue_id, v.seen_at_ms
  FROM json_each(:issue_ids) AS wanted
  JOIN issue_views AS v ON v.user_id = :user_id AND v.issue_id = wanted.value
"""


def unseen(db: Db, user_id: str, issue_ids: Sequence[int]) -> set[int]:
    """Those of the issues that the account has not seen; none for an id that is no account's (SEEN-1, SEEN-2)."""
    if not issue_ids or db.execute(_HAS_USER, {"user_id": user_id}).fetchone() is None:
        return set()
    mark_ms = int(db.execute(_SELECT_MARK, {"user_id": user_id}).get or 0)
    bindings = {"issue_ids": ids_json(issue_ids)}
    seen_at: dict[int, int] = dict(db.execute(_SELECT_VIEWS, bindings | {"user_id": user_id}))
    found = set()
    for issue_id, first_seen_ms, regressed_ms in db.execute(_SELECT_BEGINNINGS, bindings):
        began_ms = max(first_seen_ms, regressed_ms or 0)
        is_seen = began_ms <= mark_ms or (
            issue_id in seen_at and (regressed_ms is None or regressed_ms <= seen_at[issue_id])
        )
        if not is_seen:
            found.add(issue_id)
    return found
