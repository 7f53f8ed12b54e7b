"""Takes issues out of their projects. Call inside a transaction; deletion/clean_up.py removes their rows afterwards.

DELETE-1  An issue that is discarded is gone at once: no page, API, search or count has it. The writer forgets its
    fingerprints before its next batch, so the next event of that fingerprint makes a new issue.
DELETE-2  Nothing of a discarded issue comes back. Its events that are stored and not yet counted belong to no live
    project, so the writer deletes them instead of counting them. Ids of issues and fingerprints are never given again.
DELETE-3  A transaction discards at most AT_ONCE_MAX issues. Longer lists are enqueued, which costs a microsecond an
    issue, and discarded in small transactions.
"""

from __future__ import annotations

from collections.abc import Sequence

from bloop.db.engine import Db, ids_json
from bloop.issues.deletion.model import AT_ONCE_MAX, DELETED_PROJECT, Deleted
from bloop.issues.status.audit import Actor

ENQUEUED_MAX = 2000  # in one transaction: 10 ms with their rows in memory
AGGREGATES_MAX = 200  # of the discarded issues, deleted at once because lists of aggregates read no issue
DELETIONS_KEPT = 1000
SUBJECT_CHARS_MAX = 500

_MAKE_PROJECT = f"""
INSERT INTO projects (id, public_id, slug, name, api_key, short_prefix, created_at_ms, deleted_at_ms, purged_at_ms)
VALUES ({DELETED_PROJECT}, '#deleted', '#deleted', '', '#deleted', '#', 0, 0, 0)
    ON CONFLICT DO NOTHING
"""  # noqa: S608
_COUNT = """
SELECT count(*), coalesce(sum(i.event_count), 0)
  FROM json_each(:issue_ids) AS wanted
  JOIN issues AS i ON i.id = wanted.value AND i.project_id > 0
 WHERE NOT EXISTS (SELECT 1 FROM issues_to_delete AS d WHERE d.issue_id = i.id)
"""
# Project, fingerprint and number are unique together, so the row gets others with its place.
_DISCARD = f"""
UPDATE issues
   SET project_id = {DELETED_PROJECT}, fingerprint = '#' || id, short_number = id, assignee = NULL,
       muted_until_ms = NULL
 WHERE id IN (SELECT value FROM json_each(:issue_ids)) AND project_id > 0
RETURNING id
"""  # noqa: S608
_DISCARD_UNSEEN = f"""
UPDATE issues
   SET project_id = {DELETED_PROJECT}, fingerprint = '#' || id, short_number = id, assignee = NULL,
       muted_until_ms = NULL
 WHERE id IN (SELECT value FROM json_each(:issue_ids)) AND project_id > 0
   AND assignee IS NULL AND last_seen_ms < :before_ms
RETURNING id
"""  # noqa: S608
_DISCARD_FINGERPRINTS = f"""
UPDATE fingerprints SET project_id = {DELETED_PROJECT}, hash = id, fingerprint = '#' || id
 WHERE issue_id IN (SELECT value FROM json_each(:issue_ids))
"""  # noqa: S608
_DELETE_AGGREGATES = """
DELETE FROM aggregates WHERE id IN (
    SELECT a.id FROM json_each(:issue_ids) AS i JOIN aggregates AS a ON a.issue_id = i.value LIMIT :rows_max)
"""
_ENQUEUE = """
INSERT INTO issues_to_delete (issue_id)
SELECT i.id FROM json_each(:issue_ids) AS wanted JOIN issues AS i ON i.id = wanted.value
 WHERE i.project_id > 0
    ON CONFLICT DO NOTHING
"""
_DEQUEUE = "DELETE FROM issues_to_delete WHERE issue_id IN (SELECT value FROM json_each(:issue_ids))"
_INSERT_DELETION = """
INSERT INTO issue_deletions (deleted_at_ms, deleted_by, deleted_via, network, project_id, subject, issue_count,
                             event_count)
VALUES (:now_ms, :by, :via, :network, :project_id, :subject, :issues, :events)
RETURNING id
"""
_TRIM_DELETIONS = "DELETE FROM issue_deletions WHERE id <= :last_id"


def delete_issues(db: Db, issue_ids: Sequence[int]) -> Deleted:
    """Discard these issues, at most AT_ONCE_MAX; those that are deleted already count as nothing."""
    deleted = _count(db, issue_ids)
    discard(db, issue_ids)
    return deleted


def enqueue(db: Db, issue_ids: Sequence[int]) -> Deleted:
    """Let background work discard these issues, at most ENQUEUED_MAX; until then they stay visible."""
    assert len(issue_ids) <= ENQUEUED_MAX
    deleted = _count(db, issue_ids)
    db.execute(_ENQUEUE, {"issue_ids": ids_json(issue_ids)})
    return deleted


def discard(db: Db, issue_ids: Sequence[int]) -> None:
    """Take these issues out of their projects (DELETE-1)."""
    assert len(issue_ids) <= AT_ONCE_MAX
    db.execute(_MAKE_PROJECT)
    _discard_rest(db, [row[0] for row in db.execute(_DISCARD, {"issue_ids": ids_json(issue_ids)})])
    db.execute(_DEQUEUE, {"issue_ids": ids_json(issue_ids)})


def discard_unseen(db: Db, issue_ids: Sequence[int], before_ms: int) -> Deleted:
    """The same for those of them that nobody is assigned to and that were last seen before `before_ms`."""
    assert len(issue_ids) <= AT_ONCE_MAX
    db.execute(_MAKE_PROJECT)
    bindings = {"issue_ids": ids_json(issue_ids), "before_ms": before_ms}
    discarded = [row[0] for row in db.execute(_DISCARD_UNSEEN, bindings)]
    _discard_rest(db, discarded)
    return Deleted(len(discarded))


def record_deletion(
    db: Db, deleted: Deleted, subject: str, *, project_id: int | None, actor: Actor, now_ms: int
) -> None:
    """Note who deleted what. `subject` are short ids, or the search that the issues matched."""
    row = {
        "now_ms": now_ms,
        "by": actor.id,
        "via": actor.via,
        "network": actor.network,
        "project_id": project_id,
        "subject": subject[:SUBJECT_CHARS_MAX],
        "issues": deleted.issues,
        "events": deleted.events,
    }
    deletion_id = db.execute(_INSERT_DELETION, row).get
    assert isinstance(deletion_id, int)
    db.execute(_TRIM_DELETIONS, {"last_id": deletion_id - DELETIONS_KEPT})


def _count(db: Db, issue_ids: Sequence[int]) -> Deleted:
    row = db.execute(_COUNT, {"issue_ids": ids_json(issue_ids)}).fetchone()
    assert row is not None, "an aggregate gives one row"
    return Deleted(*row)


def _discard_rest(db: Db, issue_ids: Sequence[int]) -> None:
    if issue_ids:
        db.execute(_DISCARD_FINGERPRINTS, {"issue_ids": ids_json(issue_ids)})
        db.execute(_DELETE_AGGREGATES, {"issue_ids": ids_json(issue_ids), "rows_max": AGGREGATES_MAX})
