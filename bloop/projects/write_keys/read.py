"""Write-only keys: a project's list, and all of them for the ingest workers' cache."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class WriteKeyRow(NamedTuple):
    id: int
    project_id: int
    key: str
    kind: str  # a `WriteKeyKind`
    name: str
    created_at_ms: int
    revoked_at_ms: int | None


# Served by write_keys_by_project.
_SELECT_OF_PROJECT = """
SELECT id, project_id, key, kind, name, created_at_ms, revoked_at_ms
  FROM write_keys
 WHERE project_id = :project_id
 ORDER BY id DESC
"""
_SELECT_ALL = """
SELECT w.id, w.project_id, w.key, w.kind, w.name, w.created_at_ms, w.revoked_at_ms
  FROM write_keys AS w
  JOIN projects AS p ON p.id = w.project_id
 WHERE p.deleted_at_ms IS NULL
"""


def list_write_keys(db: Db, project_id: int) -> list[WriteKeyRow]:
    """Newest first, revoked ones included."""
    return [WriteKeyRow(*row) for row in db.execute(_SELECT_OF_PROJECT, {"project_id": project_id})]


def list_all_write_keys(db: Db) -> list[WriteKeyRow]:
    """Of all projects that are not deleted, revoked ones included: whoever still shows one is booked to its project."""
    return [WriteKeyRow(*row) for row in db.execute(_SELECT_ALL)]
