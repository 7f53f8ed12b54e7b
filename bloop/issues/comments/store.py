"""Adds, edits and deletes comments. Call inside a transaction.

COMMENT-1  A person or token edits and deletes its own comments and no others. The check and the change are one
    transaction.
COMMENT-2  An issue has at most COMMENTS_MAX comments, each of at most TEXT_CHARS_MAX characters.
"""

from __future__ import annotations

from bloop.base.errors import Conflict, Forbidden, NotFound
from bloop.db.engine import Db
from bloop.issues.comments.model import COMMENTS_MAX
from bloop.issues.comments.read import CommentRow, count_comments, get_comment
from bloop.issues.status.audit import Actor

_INSERT = """
INSERT INTO issue_comments (issue_id, author, via, text, created_at_ms)
VALUES (:issue_id, :author, :via, :text, :now_ms)
RETURNING id
"""
_UPDATE = "UPDATE issue_comments SET text = :text, edited_at_ms = :now_ms WHERE id = :id AND text <> :text"
_DELETE = "DELETE FROM issue_comments WHERE id = :id"


def add_comment(db: Db, issue_id: int, text: str, *, actor: Actor, now_ms: int) -> CommentRow:
    """Add a comment; `text` has been through `check_text`.

    Raises:
        Conflict: the issue has as many as it may have.
    """
    if count_comments(db, issue_id) >= COMMENTS_MAX:
        raise Conflict(f"an issue has at most {COMMENTS_MAX:,} comments; delete one first")
    row = {"issue_id": issue_id, "author": actor.id, "via": actor.via, "text": text, "now_ms": now_ms}
    return _get(db, issue_id, db.execute(_INSERT, row).get)


def edit_comment(db: Db, issue_id: int, comment_id: int, text: str, *, author: str, now_ms: int) -> CommentRow:
    """Replace the text of one's own comment.

    Raises:
        NotFound: the issue has no such comment.
        Forbidden: it is another author's.
    """
    check_own(db, issue_id, comment_id, author)
    db.execute(_UPDATE, {"id": comment_id, "text": text, "now_ms": now_ms})
    return _get(db, issue_id, comment_id)


def delete_comment(db: Db, issue_id: int, comment_id: int, *, author: str) -> None:
    """Delete one's own comment. Raises: NotFound, Forbidden: as `edit_comment`."""
    check_own(db, issue_id, comment_id, author)
    db.execute(_DELETE, {"id": comment_id})


def check_own(db: Db, issue_id: int, comment_id: int, author: str) -> None:
    """Raises: NotFound, Forbidden: as `edit_comment`."""
    if _get(db, issue_id, comment_id).author != author:
        raise Forbidden("only its author can change a comment")


def _get(db: Db, issue_id: int, comment_id: int) -> CommentRow:
    row = get_comment(db, issue_id, comment_id)
    if row is None:
        raise NotFound("no such comment")
    return row
