"""The full-text index over issues, SQLite's FTS5. The searchable text of an issue never changes after its first event.

WORD-SEARCH-1  The index only proposes: the search joins its results with `issues`, so a row left behind by a deleted
    issue is never shown. REPLACE, because SQLite may give the id of a deleted newest issue again.
WORD-SEARCH-2  One statement per batch, after the batch's issues are inserted. FTS5 collects its texts in memory until
    a savepoint, and inserting an issue, which fires a trigger, is one. Measured on texts of 200 characters: 50 µs of
    CPU for an issue in a batch of 200, and 130 more when issues and their texts take turns. 700 bytes on disk.
"""

from __future__ import annotations

from collections.abc import Sequence

from bloop.db.engine import Db, ids_json

WORD_CHARS_MIN = 3  # the shortest word it can find: the index holds every three characters

# The same text as 0004_search.sql filled in, bounded because the index costs per character.
_INDEX = """
INSERT OR REPLACE INTO issue_search (rowid, text)
SELECT i.id, i.error_type || ': ' || substr(i.message, 1, 500) || char(10) || coalesce(substr(i.route, 1, 200), '')
             || char(10) || coalesce(substr(i.culprit, 1, 200), '')
  FROM json_each(:issue_ids) AS inserted
  JOIN issues AS i ON i.id = inserted.value
"""
# For issues that are about to be deleted. About 4 µs per issue.
FORGET = "DELETE FROM issue_search WHERE rowid IN (SELECT value FROM json_each(:ids))"
_FIND = "SELECT rowid FROM issue_search WHERE issue_search MATCH :words LIMIT :limit"


def index(db: Db, issue_ids: Sequence[int]) -> None:
    """Make new issues findable; in the transaction that made them, after the last of them."""
    if issue_ids:
        db.execute(_INDEX, {"issue_ids": ids_json(issue_ids)})


def find(db: Db, words: Sequence[str], *, limit: int) -> list[int]:
    """Issues with all of the words somewhere in their text, in any case; each has WORD_CHARS_MIN characters or more."""
    phrases = " AND ".join('"' + word.replace('"', '""') + '"' for word in words)
    return [row[0] for row in db.execute(_FIND, {"words": phrases, "limit": limit})]
