"""Projects, for lists, for names in paths and parameters, and for the ingest workers' key cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from bloop.query.rows import ids_json


class ProjectRow(NamedTuple):
    id: int
    public_id: str
    slug: str
    name: str
    short_prefix: str
    created_at_ms: int
    created_by: str | None


class ProjectKey(NamedTuple):
    id: int
    public_id: str
    slug: str
    api_key: str


_SELECT_ALL = """
SELECT id, public_id, slug, name, short_prefix, created_at_ms, created_by
  FROM projects
 ORDER BY created_at_ms, id
"""
_SELECT_BY_IDS = """
SELECT id, public_id, slug, name, short_prefix, created_at_ms, created_by
  FROM projects
 WHERE id IN (SELECT value FROM json_each(:ids))
 ORDER BY created_at_ms, id
"""
# Served by the UNIQUE indexes of public_id and slug. The public id wins where both match.
_SELECT_BY_REFERENCE = """
SELECT id, public_id, slug, name, short_prefix, created_at_ms, created_by
  FROM projects
 WHERE public_id = :reference OR slug = :reference
 ORDER BY public_id = :reference DESC
 LIMIT 1
"""
_SELECT_IDS = "SELECT id FROM projects ORDER BY id"
_SELECT_KEYS = "SELECT id, public_id, slug, api_key FROM projects ORDER BY id"


def list_projects(db: apsw.Connection, project_ids: Sequence[int] | None = None) -> list[ProjectRow]:
    """Oldest first; `project_ids` None means every project."""
    if project_ids is None:
        return [ProjectRow(*row) for row in db.execute(_SELECT_ALL)]
    return [ProjectRow(*row) for row in db.execute(_SELECT_BY_IDS, {"ids": ids_json(project_ids)})]


def get_project(db: apsw.Connection, reference: str) -> ProjectRow | None:
    """The project with this public id or slug. Says nothing about who may see it."""
    row = db.execute(_SELECT_BY_REFERENCE, {"reference": reference}).fetchone()
    return ProjectRow(*row) if row else None


def project_ids(db: apsw.Connection) -> tuple[int, ...]:
    return tuple(row[0] for row in db.execute(_SELECT_IDS))


def project_keys(db: apsw.Connection) -> list[ProjectKey]:
    """Every project with its key: what the ingest workers load. The only read that returns keys."""
    return [ProjectKey(*row) for row in db.execute(_SELECT_KEYS)]
