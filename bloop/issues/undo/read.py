"""Reads what undoing a change would put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.db.engine import Db, ids_json
from bloop.issues.undo.model import IssueState, unpack


class UndoPart(NamedTuple):
    """A row of undo_parts; `states` as `unpack` takes them."""

    id: int
    project_id: int
    states: bytes

    def unpacked(self) -> list[IssueState]:
        return unpack(self.states)


class CurrentIssue(NamedTuple):
    """An issue as it is now: `change_id` of its state is the newest line of its history."""

    short_id: str
    state: IssueState


# Served by undo_parts_by_undo.
_SELECT_PART_IDS = """
SELECT id
  FROM undo_parts
 WHERE undo_id = :undo_id AND project_id IN (SELECT value FROM json_each(:project_ids))
 ORDER BY id
"""
_SELECT_PART = "SELECT id, project_id, states FROM undo_parts WHERE id = :id"
# By primary key; the newest line by status_changes_by_issue (issue_id, id), from its end.
_SELECT_CURRENT = """
SELECT p.short_prefix || '-' || i.short_number, i.id,
       coalesce((SELECT max(c.id) FROM status_changes AS c WHERE c.issue_id = i.id), 0), i.status, i.resolved_at_ms,
       i.resolved_in_release, i.resolved_in_next, i.is_firing, i.muted_at_ms, i.muted_until_ms, i.muted_events,
       i.muted_per_hour, i.muted_progress, i.assignee
  FROM json_each(:issue_ids) AS wanted
  JOIN issues AS i ON i.id = wanted.value AND i.project_id = :project_id
  JOIN projects AS p ON p.id = i.project_id
 ORDER BY i.id
"""
_SELECT_PROJECTS = """
SELECT project_id, id
  FROM issues
 WHERE id IN (SELECT value FROM json_each(:issue_ids)) AND project_id > 0
 ORDER BY id
"""


def part_ids(db: Db, undo_id: str, project_ids: Sequence[int]) -> list[int]:
    """The parts of a change within these projects; empty when it is unknown or no longer kept."""
    bindings = {"undo_id": undo_id, "project_ids": ids_json(project_ids)}
    return [row[0] for row in db.execute(_SELECT_PART_IDS, bindings)]


def get_part(db: Db, part_id: int) -> UndoPart | None:
    row = db.execute(_SELECT_PART, {"id": part_id}).fetchone()
    return UndoPart(*row) if row else None


def current(db: Db, project_id: int, issue_ids: Sequence[int]) -> list[CurrentIssue]:
    """Those of these issues that are in the project, by id: deleted ones are not."""
    rows = db.execute(_SELECT_CURRENT, {"issue_ids": ids_json(issue_ids), "project_id": project_id})
    return [CurrentIssue(short_id, IssueState(*state)) for short_id, *state in rows]


def by_project(db: Db, issue_ids: Sequence[int]) -> dict[int, list[int]]:
    """These issues by their project, without deleted ones."""
    found: dict[int, list[int]] = {}
    for project_id, issue_id in db.execute(_SELECT_PROJECTS, {"issue_ids": ids_json(issue_ids)}):
        found.setdefault(project_id, []).append(issue_id)
    return found
