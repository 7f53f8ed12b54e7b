"""Old keys: a project's list, and all of them for the ingest workers' cache."""

from __future__ import annotations

from typing import NamedTuple

from bloop.db.engine import Db


class OldKeyRow(NamedTuple):
    """`made_at_ms` names the key within its project. `key` is None once it works no more: then only a hash is left."""

    project_id: int
    made_at_ms: int
    key_hash: str
    key_start: str
    key: str | None
    replaced_at_ms: int
    ends_at_ms: int
    used_at_ms: int | None


# Served by the primary key.
_SELECT_OF_PROJECT = """
SELECT project_id, made_at_ms, key_hash, key_start, key, replaced_at_ms, ends_at_ms, used_at_ms
  FROM old_keys
 WHERE project_id = :project_id
 ORDER BY made_at_ms DESC
"""
_SELECT_ALL = """
SELECT o.project_id, o.made_at_ms, o.key_hash, o.key_start, o.key, o.replaced_at_ms, o.ends_at_ms, o.used_at_ms
  FROM old_keys AS o
  JOIN projects AS p ON p.id = o.project_id
 WHERE p.deleted_at_ms IS NULL
"""


def list_old_keys(db: Db, project_id: int) -> list[OldKeyRow]:
    """Newest first, those that work no more included."""
    return [OldKeyRow(*row) for row in db.execute(_SELECT_OF_PROJECT, {"project_id": project_id})]


def list_all_old_keys(db: Db) -> list[OldKeyRow]:
    """Of every project that is not deleted."""
    return [OldKeyRow(*row) for row in db.execute(_SELECT_ALL)]
