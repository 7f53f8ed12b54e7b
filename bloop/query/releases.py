"""The release registry: which releases and environments a project was seen in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw

from bloop.query.rows import ids_json

RELEASES_MAX = 200
ENVIRONMENTS_MAX = 100


class ReleaseRow(NamedTuple):
    """A release over all its environments and the projects asked for."""

    release: str
    event_count: int
    first_seen_ms: int
    last_seen_ms: int


# All served by the primary key (project_id, release, environment): a row per release and environment, not per event.
_SELECT_RELEASES = """
SELECT r.release, sum(r.event_count), min(r.first_seen_ms), max(r.last_seen_ms) AS last_seen_ms
  FROM json_each(:project_ids) AS wanted
  JOIN releases AS r ON r.project_id = wanted.value
 GROUP BY r.release
 ORDER BY last_seen_ms DESC, r.release
 LIMIT :limit
"""
_SELECT_NEW = """
SELECT r.release, min(r.first_seen_ms) AS first_seen_ms
  FROM json_each(:project_ids) AS wanted
  JOIN releases AS r ON r.project_id = wanted.value
 GROUP BY r.release
HAVING min(r.first_seen_ms) >= :since_ms
 ORDER BY first_seen_ms DESC, r.release
 LIMIT :limit
"""
_SELECT_ENVIRONMENTS = """
SELECT r.environment
  FROM json_each(:project_ids) AS wanted
  JOIN releases AS r ON r.project_id = wanted.value
 GROUP BY r.environment
 ORDER BY max(r.last_seen_ms) DESC, r.environment
 LIMIT :limit
"""


def new_releases(db: apsw.Connection, project_ids: Sequence[int], since_ms: int) -> list[tuple[str, int]]:
    """Releases first seen at `since_ms` or later with the time of it, newest first, at most RELEASES_MAX."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms, "limit": RELEASES_MAX}
    return [(release, at_ms) for release, at_ms in db.execute(_SELECT_NEW, bindings)]


def list_releases(db: apsw.Connection, project_ids: Sequence[int]) -> list[ReleaseRow]:
    """Last seen first, at most RELEASES_MAX."""
    bindings = {"project_ids": ids_json(project_ids), "limit": RELEASES_MAX}
    return [ReleaseRow(*row) for row in db.execute(_SELECT_RELEASES, bindings)]


def list_environments(db: apsw.Connection, project_ids: Sequence[int]) -> list[str]:
    """Last seen first, at most ENVIRONMENTS_MAX."""
    bindings = {"project_ids": ids_json(project_ids), "limit": ENVIRONMENTS_MAX}
    return [row[0] for row in db.execute(_SELECT_ENVIRONMENTS, bindings)]
