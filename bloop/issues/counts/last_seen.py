"""When issues were last seen within a scope.

To the millisecond where the scope's newest event is the newest of the issue, or of one of its releases and
environments; else the start of the last hour, or minute, with an event in the scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bloop.db.engine import Db, ids_json
from bloop.issues.counts.scope import CountScope

# Served by aggregates_by_issue (issue_id, release, environment).
_LAST_BY_NAME = """
SELECT a.issue_id, max(a.last_seen_ms)
  FROM json_each(:issue_ids) AS wanted
  JOIN aggregates AS a ON a.issue_id = wanted.value
 WHERE a.last_seen_ms >= :from_ms AND a.last_seen_ms < :to_ms
   AND (:release = '' OR a.release = :release) AND (:environment = '' OR a.environment = :environment)
 GROUP BY a.issue_id
"""
_LAST = """
SELECT i.id, i.last_seen_ms
  FROM json_each(:issue_ids) AS wanted
  JOIN issues AS i ON i.id = wanted.value AND i.last_seen_ms >= :from_ms AND i.last_seen_ms < :to_ms
"""
# Served by the primary keys of hourly_counts and fingerprint_hours, which begin with (fingerprint_id, hour_ms).
_LAST_HOUR_BY_NAME = """
SELECT f.issue_id, max(h.hour_ms)
  FROM json_each(:issue_ids) AS wanted
  JOIN fingerprints AS f ON f.issue_id = wanted.value
  JOIN hourly_counts AS h ON h.fingerprint_id = f.id AND h.hour_ms >= :from_ms AND h.hour_ms < :to_ms
 WHERE (:release = '' OR h.release = :release) AND (:environment = '' OR h.environment = :environment)
 GROUP BY f.issue_id
"""
_LAST_HOUR = """
SELECT f.issue_id, max((SELECT max(h.hour_ms) FROM fingerprint_hours AS h
                         WHERE h.fingerprint_id = f.id AND h.hour_ms >= :from_ms AND h.hour_ms < :to_ms))
  FROM json_each(:issue_ids) AS wanted
  JOIN fingerprints AS f ON f.issue_id = wanted.value
 GROUP BY f.issue_id
"""
# Served by the primary key (project_id, minute_ms, fingerprint_id, environment, source).
_LAST_MINUTE = """
SELECT f.issue_id, max(m.minute_ms)
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN minute_counts AS m
 CROSS JOIN fingerprints AS f
 WHERE m.project_id = wanted.value AND m.minute_ms >= :from_ms AND m.minute_ms < :to_ms AND f.id = m.fingerprint_id
   AND (:environment = '' OR m.environment = :environment)
 GROUP BY f.issue_id
"""


def last_seen(db: Db, project_ids: Sequence[int], issue_ids: Sequence[int], scope: CountScope) -> dict[int, int]:
    """By issue, in ms; 0 for those without an event in the scope. The issues are of these projects."""
    window = scope.window
    wanted: dict[str, Any] = {"issue_ids": ids_json(issue_ids), **scope.names}
    times = dict.fromkeys(issue_ids, 0)
    within = {"from_ms": window.from_ms, "to_ms": window.to_ms}
    _raise(times, db.execute(_LAST_BY_NAME if scope.has_names else _LAST, wanted | within))
    if window.is_running:
        return times
    _raise(times, db.execute(_LAST_HOUR_BY_NAME if scope.has_names else _LAST_HOUR, wanted | scope.hours._asdict()))
    for edge in scope.edges:
        bindings = {"project_ids": ids_json(project_ids), **scope.names, **edge._asdict()}
        _raise(times, db.execute(_LAST_MINUTE, bindings))
    return times


def _raise(times: dict[int, int], rows: Iterable[tuple[Any, ...]]) -> None:
    for issue_id, at_ms in rows:
        if at_ms is not None and issue_id in times:
            times[issue_id] = max(times[issue_id], at_ms)
