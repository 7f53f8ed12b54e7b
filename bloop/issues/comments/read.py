"""Comments of issues, oldest first, served by issue_comments_by_issue (issue_id, id)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.db.engine import Db, ids_json

ROWS_MAX = 1000


class CommentRow(NamedTuple):
    id: int
    issue_id: int
    project_public_id: str
    fingerprint: str
    author: str  # user id, token id or 'operator'
    author_name: str | None  # None where the user or token is gone
    via: str
    text: str
    created_at_ms: int
    edited_at_ms: int | None


_COLUMNS = """
SELECT c.id, c.issue_id, p.public_id, i.fingerprint, c.author,
       coalesce(u.display_name, t.name, CASE WHEN c.author = 'operator' THEN c.author END), c.via, c.text,
       c.created_at_ms, c.edited_at_ms
"""
_JOINS = """
  JOIN issues AS i ON i.id = c.issue_id
  JOIN projects AS p ON p.id = i.project_id
  LEFT JOIN webauthn_users AS u ON u.id = c.author
  LEFT JOIN api_tokens AS t ON t.id = c.author
"""
_SELECT_NEWEST = f"""{_COLUMNS}
  FROM json_each(:issue_ids) AS wanted
  JOIN issue_comments AS c ON c.issue_id = wanted.value
{_JOINS}
 ORDER BY c.id DESC
 LIMIT :limit
"""
_SELECT_ONE = f"""{_COLUMNS}
  FROM issue_comments AS c
{_JOINS}
 WHERE c.id = :id AND c.issue_id = :issue_id
"""
_COUNT = "SELECT count(*) FROM issue_comments WHERE issue_id = :issue_id"


def list_comments(db: Db, issue_ids: Sequence[int], *, limit: int = ROWS_MAX) -> list[CommentRow]:
    """The newest `limit` comments of these issues, oldest first."""
    rows = db.execute(_SELECT_NEWEST, {"issue_ids": ids_json(issue_ids), "limit": limit}).fetchall()
    return [CommentRow(*row) for row in reversed(rows)]


def get_comment(db: Db, issue_id: int, comment_id: int) -> CommentRow | None:
    """The comment, if it belongs to this issue."""
    row = db.execute(_SELECT_ONE, {"id": comment_id, "issue_id": issue_id}).fetchone()
    return CommentRow(*row) if row else None


def count_comments(db: Db, issue_id: int) -> int:
    return int(db.execute(_COUNT, {"issue_id": issue_id}).get or 0)
