"""The release registry: the releases, environments and sources in a project's events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.db.engine import Db, ids_json

RELEASES_MAX = 200
RELEASES_COMPARED_MAX = 10_000  # to find the newest
ENVIRONMENTS_MAX = 100
SOURCES_MAX = 50


class ReleaseRow(NamedTuple):
    """One release, summed over its environments and the requested projects."""

    release: str
    event_count: int
    first_seen_ms: int
    last_seen_ms: int


# All served by the primary key (project_id, release, environment): a row per release and environment, not per event.
_SELECT_RELEASES = """
SELECT r.release, sum(r.event_count), min(r.first_seen_ms), max(r.last_seen_ms) AS last_seen_ms
  FROM json_each(:project_ids) AS requested
  JOIN releases AS r ON r.project_id = requested.value
 GROUP BY r.release
 ORDER BY last_seen_ms DESC, r.release
 LIMIT :limit
"""
_SELECT_NEW = """
SELECT r.release, min(r.first_seen_ms) AS first_seen_ms
  FROM json_each(:project_ids) AS requested
  JOIN releases AS r ON r.project_id = requested.value
 GROUP BY r.release
HAVING min(r.first_seen_ms) >= :since_ms
 ORDER BY first_seen_ms DESC, r.release
 LIMIT :limit
"""
_SELECT_ENVIRONMENTS = """
SELECT r.environment
  FROM json_each(:project_ids) AS requested
  JOIN releases AS r ON r.project_id = requested.value
 GROUP BY r.environment
 ORDER BY max(r.last_seen_ms) DESC, r.environment
 LIMIT :limit
"""
# Served by the primary key (project_id, hour_ms, …).
_SELECT_SOURCES = """
SELECT h.source
  FROM json_each(:project_ids) AS requested
  JOIN project_hourly_counts AS h ON h.project_id = requested.value AND h.hour_ms >= :since_ms
 GROUP BY h.source
 ORDER BY sum(h.event_count) DESC, h.source
 LIMIT :limit
"""
_SELECT_FIRST_SEEN = """
SELECT environment, first_seen_ms FROM releases WHERE project_id = :project_id AND release = :release
"""
_SELECT_TIMES = """
SELECT release, min(first_seen_ms) AS first_seen_ms
  FROM releases
 WHERE project_id = :project_id
 GROUP BY release
 ORDER BY first_seen_ms DESC
 LIMIT :limit
"""


def new_releases(db: Db, project_ids: Sequence[int], since_ms: int) -> list[tuple[str, int]]:
    """Releases first seen at `since_ms` or later, each with that time, newest first, at most RELEASES_MAX."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms, "limit": RELEASES_MAX}
    return [(release, at_ms) for release, at_ms in db.execute(_SELECT_NEW, bindings)]


def list_releases(db: Db, project_ids: Sequence[int]) -> list[ReleaseRow]:
    """Last seen first, at most RELEASES_MAX."""
    bindings = {"project_ids": ids_json(project_ids), "limit": RELEASES_MAX}
    return [ReleaseRow(*row) for row in db.execute(_SELECT_RELEASES, bindings)]


def list_environments(db: Db, project_ids: Sequence[int]) -> list[str]:
    """Last seen first, at most ENVIRONMENTS_MAX."""
    bindings = {"project_ids": ids_json(project_ids), "limit": ENVIRONMENTS_MAX}
    return [row[0] for row in db.execute(_SELECT_ENVIRONMENTS, bindings)]


def list_sources(db: Db, project_ids: Sequence[int], since_ms: int) -> list[str]:
    """Sources seen in the hours that start at `since_ms` or later, most events first."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms, "limit": SOURCES_MAX}
    return [row[0] for row in db.execute(_SELECT_SOURCES, bindings)]


def first_seen(db: Db, project_id: int, release: str) -> dict[str, int]:
    """When a release was first seen in each environment, in ms; empty: never."""
    return dict(db.execute(_SELECT_FIRST_SEEN, {"project_id": project_id, "release": release}))


def first_seen_times(db: Db, project_id: int) -> list[tuple[str, int]]:
    """Every release of a project and when it was first seen anywhere, newest first, at most RELEASES_COMPARED_MAX."""
    bindings = {"project_id": project_id, "limit": RELEASES_COMPARED_MAX}
    return [(release, at_ms) for release, at_ms in db.execute(_SELECT_TIMES, bindings)]
