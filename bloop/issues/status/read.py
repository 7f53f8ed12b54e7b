"""The changes of an issue's status or assignee, and what undid them: by whom, when, and from where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.db.engine import Db, ids_json

ROWS_MAX = 500


class StatusChangeRow(NamedTuple):
    id: int
    issue_id: int
    project_id: int
    project_public_id: str
    fingerprint: str
    old_status: str
    new_status: str
    changed_by: str | None  # user id, token id or 'operator'; None: bloop itself
    changed_by_name: str | None  # for people; None where the user or token is gone
    changed_via: str
    release: str | None
    changed_at_ms: int
    action: str = "status"  # or 'assigned', with the status twice, or 'undone'
    network: str = ""  # of the client, where known
    detail: str = "{}"  # JSON: the release, the condition of a mute, the assignee
    undo_id: str | None = None  # of the newest change of an issue, while it can be undone
    undone_action: str | None = None  # of an undo: what the change was that it undid, 'status', 'assigned' or 'undone'
    undone_status: str | None = None
    undone_by_name: str | None = None


# Served by status_changes_by_issue (issue_id, id), and undo_parts_by_undo.
_SELECT_HISTORY = """
SELECT c.id, c.issue_id, c.project_id, p.public_id, i.fingerprint, c.old_status, c.new_status, c.changed_by,
       coalesce(u.display_name, t.name, CASE WHEN c.changed_by = 'operator' THEN c.changed_by END), c.changed_via,
       c.release, c.changed_at_ms, c.action, c.network, c.detail,
       CASE WHEN c.id = (SELECT max(n.id) FROM status_changes AS n WHERE n.issue_id = c.issue_id)
             AND EXISTS (SELECT 1 FROM undo_parts AS p WHERE p.undo_id = c.undo_id AND p.project_id = c.project_id)
            THEN c.undo_id END,
       undone.action, undone.new_status,
       coalesce(du.display_name, dt.name, CASE WHEN undone.changed_by = 'operator' THEN undone.changed_by END)
  FROM json_each(:issue_ids) AS wanted
  JOIN status_changes AS c ON c.issue_id = wanted.value
  JOIN issues AS i ON i.id = c.issue_id
  JOIN projects AS p ON p.id = i.project_id
  LEFT JOIN webauthn_users AS u ON u.id = c.changed_by
  LEFT JOIN api_tokens AS t ON t.id = c.changed_by
  LEFT JOIN status_changes AS undone ON undone.id = c.undoes
  LEFT JOIN webauthn_users AS du ON du.id = undone.changed_by
  LEFT JOIN api_tokens AS dt ON dt.id = undone.changed_by
 ORDER BY c.id DESC
 LIMIT :limit
"""


def history(db: Db, issue_ids: Sequence[int]) -> list[StatusChangeRow]:
    """Every change of these issues, newest first, at most ROWS_MAX."""
    bindings = {"issue_ids": ids_json(issue_ids), "limit": ROWS_MAX}
    return [StatusChangeRow(*row) for row in db.execute(_SELECT_HISTORY, bindings)]
