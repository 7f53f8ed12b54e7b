"""Projects: all, by id or slug, and the keys for the ingest workers' cache.

PROJECT-READ-1  Only `list_projects_to_purge` returns deleted projects; their rows keep the numbers from being reused.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import orjson

from bloop.auth.principal import Principal, PrincipalKind
from bloop.base import credentials
from bloop.base.errors import NotFound
from bloop.db.engine import Db, ids_json
from bloop.projects.model import Oversize
from bloop.projects.old_keys.read import list_old_keys


class ProjectRow(NamedTuple):
    id: int
    public_id: str
    slug: str
    name: str
    short_prefix: str
    created_at_ms: int
    created_by: str | None
    key_made_at_ms: int | None = None  # None: created with the project
    key_used_at_ms: int | None = None  # to the minute; None: never, or before bloop noted it
    oversize: str = Oversize.REJECT
    search_keys: str = "[]"  # JSON: keys of tags and metadata to index; empty: all that fit

    @property
    def listed_keys(self) -> tuple[str, ...]:
        return tuple(orjson.loads(self.search_keys))


class KeyState(StrEnum):
    CURRENT = "current"
    OLD = "old"  # replaced, and works until it ends
    ENDED = "ended"  # works no more; refused requests with it are booked to the project


class KeySummary(NamedTuple):
    """A key without the key. `made_at_ms` names it within its project; `start` is empty for the configured secret."""

    made_at_ms: int
    start: str
    state: KeyState
    replaced_at_ms: int | None
    ends_at_ms: int | None
    used_at_ms: int | None  # to the minute; None: never, or before bloop noted it


class ProjectContents(NamedTuple):
    """What deleting a project deletes."""

    issues: int
    events: int  # all counted ones, also those whose bodies have expired
    releases: int
    tokens: int  # valid ones


class ProjectKeyRow(NamedTuple):
    id: int
    public_id: str
    slug: str
    api_key: str
    made_at_ms: int
    oversize: str


_SELECT_ALL = """
SELECT id, public_id, slug, name, short_prefix, created_at_ms, created_by, key_made_at_ms,
       key_used_at_ms, oversize, search_keys
  FROM projects
 WHERE deleted_at_ms IS NULL
 ORDER BY created_at_ms, id
"""
_SELECT_BY_IDS = """
SELECT id, public_id, slug, name, short_prefix, created_at_ms, created_by, key_made_at_ms,
       key_used_at_ms, oversize, search_keys
  FROM projects
 WHERE id IN (SELECT value FROM json_each(:ids)) AND deleted_at_ms IS NULL
 ORDER BY created_at_ms, id
"""
# Served by the UNIQUE indexes of public_id and slug. The public id wins where both match.
_SELECT_BY_REFERENCE = """
SELECT id, public_id, slug, name, short_prefix, created_at_ms, created_by, key_made_at_ms,
       key_used_at_ms, oversize, search_keys
  FROM projects
 WHERE (public_id = :reference OR slug = :reference) AND deleted_at_ms IS NULL
 ORDER BY public_id = :reference DESC
 LIMIT 1
"""
_SELECT_IDS = "SELECT id FROM projects WHERE deleted_at_ms IS NULL ORDER BY id"
_SELECT_KEYS = """
SELECT id, public_id, slug, api_key, coalesce(key_made_at_ms, created_at_ms), oversize
  FROM projects
 WHERE deleted_at_ms IS NULL
 ORDER BY id
"""
_SELECT_SEARCH_KEYS = "SELECT id, search_keys FROM projects WHERE search_keys <> '[]'"
_SELECT_KEY = "SELECT api_key FROM projects WHERE id = :project_id"
# Served by projects_to_purge.
_SELECT_TO_PURGE = "SELECT id FROM projects WHERE deleted_at_ms IS NOT NULL AND purged_at_ms IS NULL ORDER BY id"
# Sums of counters: reads no events.
_SELECT_CONTENTS = """
SELECT (SELECT coalesce(sum(issue_count), 0) FROM status_counts WHERE project_id = :project_id),
       (SELECT coalesce(sum(event_count), 0) FROM releases WHERE project_id = :project_id),
       (SELECT count(DISTINCT release) FROM releases WHERE project_id = :project_id),
       (SELECT count(*) FROM api_tokens WHERE project_id = :project_id AND revoked_at IS NULL
                                              AND (expires_at IS NULL OR expires_at >= :now_s))
"""


def list_projects(db: Db, project_ids: Sequence[int] | None = None) -> list[ProjectRow]:
    """Oldest first; `project_ids` None means every project."""
    if project_ids is None:
        return [ProjectRow(*row) for row in db.execute(_SELECT_ALL)]
    return [ProjectRow(*row) for row in db.execute(_SELECT_BY_IDS, {"ids": ids_json(project_ids)})]


def get_project(db: Db, reference: str) -> ProjectRow | None:
    """The project with this public id or slug; does not check access."""
    row = db.execute(_SELECT_BY_REFERENCE, {"reference": reference}).fetchone()
    return ProjectRow(*row) if row else None


def project_ids(db: Db) -> tuple[int, ...]:
    return tuple(row[0] for row in db.execute(_SELECT_IDS))


def search_keys(db: Db) -> dict[int, tuple[str, ...]]:
    """The keys of tags and metadata that projects have indexed; projects that index all that fit are missing."""
    return {row[0]: tuple(orjson.loads(row[1])) for row in db.execute(_SELECT_SEARCH_KEYS)}


def project_keys(db: Db) -> list[ProjectKeyRow]:
    """Every project with its key, for the ingest workers."""
    return [ProjectKeyRow(*row) for row in db.execute(_SELECT_KEYS)]


def project_contents(db: Db, project_id: int, now_ms: int) -> ProjectContents:
    """Count what deleting this project deletes."""
    row = db.execute(_SELECT_CONTENTS, {"project_id": project_id, "now_s": now_ms // 1000}).fetchone()
    assert row is not None
    return ProjectContents(*row)


def signing_key(db: Db, project_id: int) -> str:
    """The key of one project, to sign events this process sends. Never show it."""
    row = db.execute(_SELECT_KEY, {"project_id": project_id}).fetchone()
    assert row is not None, "the caller found the project"
    return str(row[0])


def list_keys(db: Db, project: ProjectRow, now_ms: int) -> list[KeySummary]:
    """The current key, then the old ones, newest first."""
    start = credentials.key_start(signing_key(db, project.id))
    current = KeySummary(key_created_at_ms(project), start, KeyState.CURRENT, None, None, project.key_used_at_ms)
    old = [
        KeySummary(
            row.made_at_ms,
            row.key_start,
            KeyState.OLD if row.ends_at_ms > now_ms else KeyState.ENDED,
            row.replaced_at_ms,
            row.ends_at_ms,
            row.used_at_ms,
        )
        for row in list_old_keys(db, project.id)
    ]
    return [current, *old]


def list_projects_to_purge(db: Db) -> list[int]:
    """Deleted projects that still have rows, oldest first."""
    return [row[0] for row in db.execute(_SELECT_TO_PURGE)]


def visible_projects(db: Db, principal: Principal, reference: str | None) -> tuple[int, ...]:
    """The projects of a request: the token's own, else the one named by id or slug, else all visible ones.

    Raises:
        NotFound: `reference` names no visible project.
    """
    if principal.kind is PrincipalKind.TOKEN:
        assert principal.project_ids is not None, "a token belongs to one project"
        return principal.project_ids
    if not reference:
        return project_ids(db) if principal.project_ids is None else principal.project_ids
    project = get_project(db, reference)
    if project is None or (principal.project_ids is not None and project.id not in principal.project_ids):
        raise NotFound("project not found")
    return (project.id,)


def find_project(db: Db, reference: str) -> ProjectRow:
    """The project an operator named. Raises: NotFound, with the slugs that exist."""
    project = get_project(db, reference)
    if project is None:
        slugs = ", ".join(row.slug for row in list_projects(db)) or "none"
        raise NotFound(f"project {reference!r} not found (projects: {slugs})")
    return project


def require_project(db: Db, slug: str) -> ProjectRow:
    """The project of this id or slug. Raises: NotFound."""
    project = get_project(db, slug)
    if project is None:
        raise NotFound("project not found")
    return project


def key_created_at_ms(project: ProjectRow) -> int:
    """When the current key was created."""
    return project.created_at_ms if project.key_made_at_ms is None else project.key_made_at_ms
