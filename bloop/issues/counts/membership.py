"""Which issues have an event within a scope, as conditions on `issues AS i`.

MEMBER-1  An issue is in scope when `counts/scoped.py` counts at least one event of it there.
MEMBER-2  A window that is running asks for the last time only: nothing is received later. One that is over also asks
    for an hour or a minute with an event between its edges.
MEMBER-3  When few issues are in scope they are found from its side, by an index that begins with time.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from bloop.base.clock import DAY_MS
from bloop.db.engine import Db, ids_json
from bloop.issues.counts.scope import CountScope
from bloop.issues.search.conditions import Conditions

AGGREGATES_MAX = 50_000  # rows walked to find few issues, or to count them: 8 ms
CHUNK = 1000

_BEGAN_MS = DAY_MS  # an event may be stored hours after later ones, when its worker's lane waited

_SEEN_SINCE = "i.last_seen_ms >= :scope_from_ms"
_BEGAN_BY = f"i.first_seen_ms < :scope_to_ms + {_BEGAN_MS}"
_HAS_AGGREGATE = (
    "EXISTS (SELECT 1 FROM aggregates AS sa WHERE sa.issue_id = i.id AND sa.last_seen_ms >= :scope_from_ms"
    " AND (:scope_release = '' OR sa.release = :scope_release)"
    " AND (:scope_environment = '' OR sa.environment = :scope_environment))"
)
_LAST_IS_INSIDE = "i.last_seen_ms < :scope_to_ms"
_HAS_HOUR = (
    "EXISTS (SELECT 1 FROM fingerprints AS sf JOIN fingerprint_hours AS sh ON sh.fingerprint_id = sf.id"
    " AND sh.hour_ms >= :scope_hours_from_ms AND sh.hour_ms < :scope_hours_to_ms WHERE sf.issue_id = i.id)"
)
_HAS_HOUR_BY_NAME = (
    "EXISTS (SELECT 1 FROM fingerprints AS sf JOIN hourly_counts AS sh ON sh.fingerprint_id = sf.id"
    " AND sh.hour_ms >= :scope_hours_from_ms AND sh.hour_ms < :scope_hours_to_ms WHERE sf.issue_id = i.id"
    " AND (:scope_release = '' OR sh.release = :scope_release)"
    " AND (:scope_environment = '' OR sh.environment = :scope_environment))"
)
# Computed once for a statement: it does not depend on the row.
_HAS_MINUTE = (
    "i.id IN (SELECT sf.issue_id FROM minute_counts AS sm JOIN fingerprints AS sf ON sf.id = sm.fingerprint_id"
    " WHERE sm.project_id IN (SELECT value FROM json_each(:scope_project_ids))"
    " AND sm.minute_ms >= :scope_{edge}_from_ms AND sm.minute_ms < :scope_{edge}_to_ms"
    " AND (:scope_environment = '' OR sm.environment = :scope_environment))"
)
_HAS_MINUTE_AT = {edge: _HAS_MINUTE.format(edge=edge) for edge in ("first", "second")}

# Served by issues_by_last_seen and aggregates_by_last_seen, from their ends.
_SELECT_RECENT = """
SELECT i.id
  FROM json_each(:project_ids) AS wanted
  JOIN issues AS i INDEXED BY issues_by_last_seen ON i.project_id = wanted.value AND i.last_seen_ms >= :from_ms
 LIMIT :limit
"""
_SELECT_RECENT_BY_NAME = """
SELECT a.issue_id, a.status IN ('unresolved', 'regressed')
  FROM aggregates AS a INDEXED BY aggregates_by_last_seen
 WHERE a.project_id IN (SELECT value FROM json_each(:project_ids)) AND a.last_seen_ms >= :from_ms
   AND (:release = '' OR a.release = :release) AND (:environment = '' OR a.environment = :environment)
 LIMIT :rows_max
"""


class NearScope(NamedTuple):
    """The issues that were seen since a scope began, with its names: in a window that is running, those in scope.

    `ids` is None where there are more than are looked up one by one. A scope with names also has all that its walk
    passed, and those of them that are open; not `is_complete`: there may be more of both.
    """

    ids: tuple[int, ...] | None
    passed: frozenset[int] | None = None
    are_open: frozenset[int] = frozenset()
    is_complete: bool = True


def in_scope(scope: CountScope, project_ids: Sequence[int]) -> Conditions:
    """The conditions that hold for the issues of these projects that are in scope (MEMBER-1)."""
    window, hours = scope.window, scope.hours
    bindings: dict[str, Any] = {
        "scope_from_ms": window.from_ms,
        "scope_to_ms": window.to_ms,
        "scope_release": scope.release,
        "scope_environment": scope.environment,
    }
    if window.is_running:
        return Conditions([_SEEN_SINCE, *([_HAS_AGGREGATE] if scope.has_names else [])], bindings)
    bindings |= {"scope_hours_from_ms": hours.from_ms, "scope_hours_to_ms": hours.to_ms}
    ways = [_HAS_HOUR_BY_NAME if scope.has_names else _HAS_HOUR]
    if not scope.has_names:
        ways.insert(0, _LAST_IS_INSIDE)
    for edge, (from_ms, to_ms) in zip(_HAS_MINUTE_AT, scope.edges, strict=False):
        ways.append(_HAS_MINUTE_AT[edge])
        bindings |= {f"scope_{edge}_from_ms": from_ms, f"scope_{edge}_to_ms": to_ms}
        bindings["scope_project_ids"] = ids_json(project_ids)
    return Conditions([_SEEN_SINCE, _BEGAN_BY, f"({' OR '.join(ways)})"], bindings)


def near_scope(db: Db, project_ids: Sequence[int], scope: CountScope, *, ids_max: int, counted_max: int) -> NearScope:
    """Up to `ids_max` issues near a scope. With names it counts on, up to about `counted_max` open ones."""
    bindings = {"project_ids": ids_json(project_ids), "from_ms": scope.window.from_ms}
    if scope.has_names:
        return _walk_by_name(db, bindings | scope.names, ids_max, counted_max)
    ids = [row[0] for row in db.execute(_SELECT_RECENT, bindings | {"limit": ids_max + 1})]
    return NearScope(tuple(ids) if len(ids) <= ids_max else None)


def _walk_by_name(db: Db, bindings: dict[str, Any], ids_max: int, counted_max: int) -> NearScope:
    passed: set[int] = set()
    are_open: set[int] = set()
    rows = 0
    cursor = db.cursor()
    cursor.execute(_SELECT_RECENT_BY_NAME, bindings | {"rows_max": AGGREGATES_MAX})
    while (chunk := list(islice(cursor, CHUNK))) and len(are_open) <= counted_max:
        rows += len(chunk)
        passed.update(row[0] for row in chunk)
        are_open.update(row[0] for row in chunk if row[1])
    cursor.close()  # an open cursor would hold the snapshot
    is_complete = not chunk and rows < AGGREGATES_MAX
    ids = tuple(passed) if is_complete and len(passed) <= ids_max else None
    return NearScope(ids, frozenset(passed), frozenset(are_open), is_complete)
