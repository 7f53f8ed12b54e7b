"""Reads what searches for single events look at: rows of events, and the issues that they belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from bloop.db.engine import Db, ids_json

_SELECT_NEWEST_ID = "SELECT coalesce(max(id), 0) FROM events"
# CROSS JOIN: from the ids to the rows, whatever the planner thinks of indexes that have no statistics yet.
_COLUMNS = "SELECT e.id, e.fingerprint_id, e.received_at_ms, e.timestamp_ms, e.dims_id, d.dims, e.body"
_SELECT_RANGE = f"""{_COLUMNS}
  FROM events AS e
  LEFT JOIN event_dims AS d ON d.id = e.dims_id
 WHERE e.id BETWEEN :first_id AND :last_id
 ORDER BY e.id DESC
 LIMIT :limit
"""
_SELECT_ROWS = f"""{_COLUMNS}
  FROM json_each(:ids) AS wanted
 CROSS JOIN events AS e
  LEFT JOIN event_dims AS d ON d.id = e.dims_id
 WHERE e.id = wanted.value
"""
_SELECT_DIMS = "SELECT d.id, d.dims FROM json_each(:ids) AS wanted JOIN event_dims AS d ON d.id = wanted.value"
# Both are completed with conditions on `issues AS i` (issues/search/conditions.py).
_SELECT_OWNERS = """
SELECT f.id, i.id
  FROM json_each(:fingerprint_ids) AS wanted
 CROSS JOIN fingerprints AS f
 CROSS JOIN issues AS i
 WHERE f.id = wanted.value AND i.id = f.issue_id AND i.project_id IN (SELECT value FROM json_each(:project_ids))
"""
_SELECT_FINGERPRINTS = """
SELECT f.id, i.id
  FROM json_each(:issue_ids) AS wanted
 CROSS JOIN issues AS i
 CROSS JOIN fingerprints AS f
 WHERE i.id = wanted.value AND f.issue_id = i.id AND i.project_id IN (SELECT value FROM json_each(:project_ids))
"""
# Served by the primary key of events_by_fingerprint.
_SELECT_EVENT_IDS = """
SELECT k.event_id
  FROM json_each(:fingerprint_ids) AS wanted
 CROSS JOIN events_by_fingerprint AS k
 WHERE k.fingerprint_id = wanted.value
 LIMIT :limit
"""
_SELECT_UNCOUNTED = """
SELECT id, fingerprint_id FROM events WHERE id > (SELECT event_id FROM settled) ORDER BY id LIMIT :limit
"""


class CandidateRow(NamedTuple):
    """An event that may match. `dims` is None where they are at the beginning of `body`."""

    id: int
    fingerprint_id: int
    received_at_ms: int
    timestamp_ms: int
    dims_id: int
    dims: bytes | None
    body: bytes


def newest_id(db: Db) -> int:
    """The highest id of an event; 0 without events."""
    return int(db.execute(_SELECT_NEWEST_ID).get or 0)


def range_rows(db: Db, first_id: int, last_id: int, limit: int) -> Iterator[CandidateRow]:
    """The newest events of a range of ids, newest first."""
    cursor = db.cursor()
    try:
        for row in cursor.execute(_SELECT_RANGE, {"first_id": first_id, "last_id": last_id, "limit": limit}):
            yield CandidateRow(*row)
    finally:
        cursor.close()


def rows(db: Db, ids: Sequence[int]) -> list[CandidateRow]:
    """These events, newest first."""
    found = (CandidateRow(*row) for row in db.execute(_SELECT_ROWS, {"ids": ids_json(ids)}))
    return sorted(found, reverse=True)


def dims(db: Db, ids: Sequence[int]) -> list[tuple[int, bytes]]:
    """Ids and bytes of these dims."""
    return [(row[0], row[1]) for row in db.execute(_SELECT_DIMS, {"ids": ids_json(ids)})]


def owners(
    db: Db,
    fingerprint_ids: Collection[int],
    project_ids: Sequence[int],
    fragments: Sequence[str],
    bindings: dict[str, Any],
) -> dict[int, int]:
    """Fingerprint → issue, of those whose issue is in the projects and fulfils the conditions."""
    bound = bindings | {"fingerprint_ids": ids_json(list(fingerprint_ids)), "project_ids": ids_json(project_ids)}
    return dict(db.execute(_completed(_SELECT_OWNERS, fragments), bound))


def fingerprints_of(
    db: Db, issue_ids: Sequence[int], project_ids: Sequence[int], fragments: Sequence[str], bindings: dict[str, Any]
) -> dict[int, int]:
    """Fingerprint → issue, of those of these issues that are in the projects and fulfil the conditions."""
    bound = bindings | {"issue_ids": ids_json(issue_ids), "project_ids": ids_json(project_ids)}
    return dict(db.execute(_completed(_SELECT_FINGERPRINTS, fragments), bound))


def event_ids(db: Db, fingerprint_ids: Collection[int], most: int) -> list[int] | None:
    """Events of these fingerprints, counted or not yet, newest first; None when there are more than `most`."""
    wanted = set(fingerprint_ids)
    bindings = {"limit": most + 1}
    counted = [row[0] for row in db.execute(_SELECT_EVENT_IDS, bindings | {"fingerprint_ids": ids_json(list(wanted))})]
    uncounted = list(db.execute(_SELECT_UNCOUNTED, bindings))
    if max(len(counted), len(uncounted)) > most:
        return None
    return sorted({*counted, *(row[0] for row in uncounted if row[1] in wanted)}, reverse=True)


def _completed(statement: str, fragments: Sequence[str]) -> str:
    return " AND ".join([statement, *fragments])
