"""The release registry: the releases, environments and sources in a project's events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson

from bloop.base.limits import OVERFLOW_NAME
from bloop.db.engine import Db, ids_json

RELEASES_MAX = 200
RELEASES_COMPARED_MAX = 10_000  # to find the newest
NEWEST_COMPARED = 50  # rows, to find the newest alone
ENVIRONMENTS_MAX = 100
SOURCES_MAX = 50
ROWS_READ_MAX = 1000  # of a project's releases and environments, the newest, to list names
ROWS_READ_MIN = 200  # where projects share ROWS_READ_MAX


class SeenRow(NamedTuple):
    """A release in one environment."""

    release: str
    environment: str
    last_seen_ms: int


# Clients invent releases and environments, so every list reads a bounded number of rows from the end of an index.
_SELECT_NEWEST = """
SELECT release, environment, last_seen_ms
  FROM releases INDEXED BY releases_by_last_seen
 WHERE project_id = :project_id
 ORDER BY last_seen_ms DESC
 LIMIT :limit
"""
_SELECT_NEW = """
SELECT release
  FROM releases INDEXED BY releases_by_first_seen
 WHERE project_id = :project_id AND first_seen_ms >= :since_ms
 ORDER BY first_seen_ms DESC
 LIMIT :limit
"""
# A seek for each release and project, in releases_of_name.
_SELECT_FIRST_SEEN_OF = """
SELECT n.value, (SELECT min(r.first_seen_ms) FROM releases AS r
                  WHERE r.project_id = requested.value AND r.release = n.value)
  FROM json_each(:project_ids) AS requested
 CROSS JOIN json_each(:names) AS n
"""
# Steps from one environment to the next, two seeks each in releases_by_environment, whatever lies between them.
_SELECT_ENVIRONMENTS = """
WITH RECURSIVE steps (environment, number) AS (
    SELECT min(environment), 1 FROM releases WHERE project_id = :project_id
     UNION ALL
    SELECT (SELECT min(r.environment) FROM releases AS r
             WHERE r.project_id = :project_id AND r.environment > steps.environment), steps.number + 1
      FROM steps
     WHERE steps.environment IS NOT NULL AND steps.number < :limit)
SELECT s.environment, (SELECT max(r.last_seen_ms) FROM releases AS r
                        WHERE r.project_id = :project_id AND r.environment = s.environment)
  FROM steps AS s
 WHERE s.environment IS NOT NULL
"""
# Served by the primary key (project_id, hour_ms, source).
_SELECT_SOURCES = """
SELECT h.source
  FROM json_each(:project_ids) AS requested
  JOIN project_hours AS h ON h.project_id = requested.value AND h.hour_ms >= :since_ms
 GROUP BY h.source
 ORDER BY sum(h.event_count) DESC, h.source
 LIMIT :limit
"""
_SELECT_FIRST_SEEN = """
SELECT environment, first_seen_ms FROM releases WHERE project_id = :project_id AND release = :release
"""
_SELECT_NEWEST_NAMES = """
SELECT release FROM releases INDEXED BY releases_by_first_seen
 WHERE project_id = :project_id
 ORDER BY first_seen_ms DESC
 LIMIT :limit
"""


def new_releases(db: Db, project_ids: Sequence[int], since_ms: int) -> list[tuple[str, int]]:
    """Releases first seen at `since_ms` or later, each with that time, newest first, at most RELEASES_MAX."""
    names: dict[str, None] = {}
    for project_id in project_ids:
        bindings = {"project_id": project_id, "since_ms": since_ms, "limit": _rows_of_each(project_ids)}
        own = dict.fromkeys(row[0] for row in db.execute(_SELECT_NEW, bindings))
        names |= dict.fromkeys(list(own)[: 2 * RELEASES_MAX])  # some are old ones, in a new environment
    times = _first_seen_of(db, project_ids, list(names))
    new = [(release, at_ms) for release, at_ms in times.items() if at_ms >= since_ms]
    return sorted(new, key=lambda item: (-item[1], item[0]))[:RELEASES_MAX]


def list_releases(db: Db, project_ids: Sequence[int]) -> list[str]:
    """Last seen first, at most RELEASES_MAX."""
    times: dict[str, int] = {}
    for row in _newest(db, project_ids):
        times[row.release] = max(times.get(row.release, 0), row.last_seen_ms)
    return _latest_names(times, RELEASES_MAX)


def list_environments(db: Db, project_ids: Sequence[int]) -> list[str]:
    """Last seen first, at most ENVIRONMENTS_MAX. Where a project has more, those seen lately are among them."""
    times: dict[str, int] = {}
    for project_id in project_ids:
        for environment, at_ms in db.execute(
            _SELECT_ENVIRONMENTS, {"project_id": project_id, "limit": ENVIRONMENTS_MAX}
        ):
            times[environment] = max(times.get(environment, 0), at_ms)
    if len(times) >= ENVIRONMENTS_MAX:
        for row in _newest(db, project_ids):
            times[row.environment] = max(times.get(row.environment, 0), row.last_seen_ms)
    return _latest_names(times, ENVIRONMENTS_MAX)


def list_sources(db: Db, project_ids: Sequence[int], since_ms: int) -> list[str]:
    """Sources seen in the hours that start at `since_ms` or later, most events first."""
    bindings = {"project_ids": ids_json(project_ids), "since_ms": since_ms, "limit": SOURCES_MAX}
    return [row[0] for row in db.execute(_SELECT_SOURCES, bindings)]


def first_seen(db: Db, project_id: int, release: str) -> dict[str, int]:
    """When a release was first seen in each environment, in ms; empty: never."""
    return dict(db.execute(_SELECT_FIRST_SEEN, {"project_id": project_id, "release": release}))


def first_seen_times(db: Db, project_id: int) -> list[tuple[str, int]]:
    """Releases of a project and when each was first seen anywhere, newest first, at most RELEASES_COMPARED_MAX."""
    bindings = {"project_id": project_id, "limit": RELEASES_COMPARED_MAX}
    names = list(dict.fromkeys(row[0] for row in db.execute(_SELECT_NEWEST_NAMES, bindings)))
    return sorted(_first_seen_of(db, [project_id], names).items(), key=lambda item: -item[1])


def latest_release(db: Db, project_id: int) -> str:
    """The release that was first seen last, anywhere; `""` when there is none with a name."""
    rows = db.execute(_SELECT_NEWEST_NAMES, {"project_id": project_id, "limit": NEWEST_COMPARED})
    names = [name for name in dict.fromkeys(row[0] for row in rows) if name and name != OVERFLOW_NAME]
    times = _first_seen_of(db, [project_id], names)
    return max(times, key=lambda name: (times[name], name), default="")


def _newest(db: Db, project_ids: Sequence[int]) -> list[SeenRow]:
    """The rows of each project that were seen last."""
    limit = _rows_of_each(project_ids)
    return [
        SeenRow(*row)
        for project_id in project_ids
        for row in db.execute(_SELECT_NEWEST, {"project_id": project_id, "limit": limit})
    ]


def _first_seen_of(db: Db, project_ids: Sequence[int], names: Sequence[str]) -> dict[str, int]:
    """When each of these releases was first seen in any of the projects."""
    times: dict[str, int] = {}
    bindings = {"project_ids": ids_json(project_ids), "names": orjson.dumps(names).decode()}
    for release, at_ms in db.execute(_SELECT_FIRST_SEEN_OF, bindings):
        if at_ms is not None:
            times[release] = min(times.get(release, at_ms), at_ms)
    return times


def _rows_of_each(project_ids: Sequence[int]) -> int:
    return max(ROWS_READ_MIN, ROWS_READ_MAX // max(1, len(project_ids)))


def _latest_names(times: Mapping[str, int], limit: int) -> list[str]:
    return sorted(times, key=lambda name: (-times[name], name))[:limit]
