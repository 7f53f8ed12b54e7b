"""Events within a scope (counts/scope.py), from the counts that the writer keeps: of issues, and of whole projects.

Series are (start, count) in ms, each start that of a minute or an hour, in no order, without zeros. A scope that
names an environment or a release reads a row per combination of names, any other one row per hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from bloop.base.clock import HOUR_MS, MINUTE_MS
from bloop.db.engine import Db, ids_json
from bloop.issues.counts.scope import CountScope, Span
from bloop.site.scope import Window

SOUGHT_MAX = 50  # issues whose minutes are looked up one by one; of more, all minutes of the edges are read
MINUTES_MAX = 120  # of a window whose series is made of minutes alone
EVENTS_BY_MINUTE_MAX = 20_000  # of projects in a window, for a strip made of minutes: 3 ms

Series = list[tuple[int, int]]

# Served by the primary key (fingerprint_id, hour_ms): 1.2 µs for an issue of a few hours, 150 ns for each further hour.
_COUNT_OF_ISSUES = """
SELECT wanted.value, (SELECT coalesce(sum(h.event_count), 0)
                        FROM fingerprints AS f
                        JOIN fingerprint_hours AS h ON h.fingerprint_id = f.id
                         AND h.hour_ms >= :from_ms AND h.hour_ms < :to_ms
                       WHERE f.issue_id = wanted.value)
  FROM json_each(:issue_ids) AS wanted
"""
# Served by the primary key (fingerprint_id, hour_ms, release, environment, source).
_COUNT_OF_ISSUES_BY_NAME = """
SELECT wanted.value, (SELECT coalesce(sum(h.event_count), 0)
                        FROM fingerprints AS f
                        JOIN hourly_counts AS h ON h.fingerprint_id = f.id
                         AND h.hour_ms >= :from_ms AND h.hour_ms < :to_ms
                       WHERE f.issue_id = wanted.value
                         AND (:release = '' OR h.release = :release)
                         AND (:environment = '' OR h.environment = :environment))
  FROM json_each(:issue_ids) AS wanted
"""
_HOURS_OF_ISSUES = """
SELECT f.issue_id, h.hour_ms, h.event_count
  FROM json_each(:issue_ids) AS wanted
  JOIN fingerprints AS f ON f.issue_id = wanted.value
  JOIN fingerprint_hours AS h ON h.fingerprint_id = f.id AND h.hour_ms >= :from_ms AND h.hour_ms < :to_ms
"""
_HOURS_OF_ISSUES_BY_NAME = """
SELECT f.issue_id, h.hour_ms, h.event_count
  FROM json_each(:issue_ids) AS wanted
  JOIN fingerprints AS f ON f.issue_id = wanted.value
  JOIN hourly_counts AS h ON h.fingerprint_id = f.id AND h.hour_ms >= :from_ms AND h.hour_ms < :to_ms
 WHERE (:release = '' OR h.release = :release) AND (:environment = '' OR h.environment = :environment)
"""
# A seek for each issue and minute in the primary key (project_id, minute_ms, fingerprint_id, environment, source).
_MINUTES_OF_ISSUES = """
SELECT f.issue_id, m.minute_ms, m.event_count
  FROM json_each(:issue_ids) AS wanted
 CROSS JOIN fingerprints AS f
 CROSS JOIN json_each(:minutes) AS t
 CROSS JOIN minute_counts AS m
 WHERE f.issue_id = wanted.value AND m.project_id = f.project_id AND m.minute_ms = t.value
   AND m.fingerprint_id = f.id AND (:environment = '' OR m.environment = :environment)
"""
# A range of the same key for each project: every event of those minutes. IN, as the rows are then in the order of the
# groups: a join with the list of projects sorts them, which takes three times as long.
_MINUTES_OF_PROJECTS_BY_ISSUE = """
SELECT f.issue_id, sum(m.event_count)
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN minute_counts AS m
 CROSS JOIN fingerprints AS f
 WHERE m.project_id = wanted.value AND m.minute_ms >= :from_ms AND m.minute_ms < :to_ms AND f.id = m.fingerprint_id
   AND (:environment = '' OR m.environment = :environment)
 GROUP BY f.issue_id
"""
_MINUTES_OF_PROJECTS = """
SELECT m.minute_ms, sum(m.event_count)
  FROM minute_counts AS m
 WHERE m.project_id IN (SELECT value FROM json_each(:project_ids))
   AND m.minute_ms >= :from_ms AND m.minute_ms < :to_ms
   AND (:environment = '' OR m.environment = :environment)
 GROUP BY m.project_id, m.minute_ms
"""
# Served by the primary key (project_id, hour_ms, source).
_HOURS_OF_PROJECTS = """
SELECT h.hour_ms, h.event_count
  FROM json_each(:project_ids) AS wanted
  JOIN project_hours AS h ON h.project_id = wanted.value AND h.hour_ms >= :from_ms AND h.hour_ms < :to_ms
"""
# Served by the primary key (project_id, hour_ms, release, environment, source).
_HOURS_OF_PROJECTS_BY_NAME = """
SELECT h.hour_ms, sum(h.event_count)
  FROM project_hourly_counts AS h
 WHERE h.project_id IN (SELECT value FROM json_each(:project_ids))
   AND h.hour_ms >= :from_ms AND h.hour_ms < :to_ms AND h.environment = :environment
 GROUP BY h.project_id, h.hour_ms
"""
# A seek for each hour in the same key.
_HOURS_OF_PROJECTS_BY_RELEASE = """
SELECT h.hour_ms, h.event_count
  FROM json_each(:project_ids) AS wanted
 CROSS JOIN json_each(:hours) AS t
 CROSS JOIN project_hourly_counts AS h
 WHERE h.project_id = wanted.value AND h.hour_ms = t.value AND h.release = :release
   AND (:environment = '' OR h.environment = :environment)
"""


class ProjectSeries(NamedTuple):
    """The events of projects in a scope, and the window that a chart of them spans: its start may be a little earlier,
    on the hour, where `counts` are of hours."""

    window: Window
    counts: Series

    @property
    def total(self) -> int:
        return sum(count for _, count in self.counts)


def issue_events(db: Db, project_ids: Sequence[int], issue_ids: Sequence[int], scope: CountScope) -> dict[int, int]:
    """Events of each of these issues, which belong to these projects; every id given is a key."""
    bindings = {"issue_ids": ids_json(issue_ids)} | scope.hours._asdict() | scope.names
    statement = _COUNT_OF_ISSUES_BY_NAME if scope.has_names else _COUNT_OF_ISSUES
    counts = dict.fromkeys(issue_ids, 0)
    if scope.hours.to_ms > scope.hours.from_ms:
        counts = {issue_id: int(count) for issue_id, count in db.execute(statement, bindings)}
    for issue_id, count in _edge_counts(db, project_ids, issue_ids, scope):
        if issue_id in counts:
            counts[issue_id] += count
    return counts


def issue_series(db: Db, issue_ids: Sequence[int], scope: CountScope) -> dict[int, Series]:
    """The events of each of these issues over time; every id given is a key. Their sum is that of `issue_events`."""
    found: dict[int, Series] = {issue_id: [] for issue_id in issue_ids}
    bindings: dict[str, Any] = {"issue_ids": ids_json(issue_ids)} | scope.names
    spans = scope.edges
    if _is_made_of_minutes(scope):
        spans = [Span(scope.window.from_ms, scope.window.to_ms)]
    else:
        statement = _HOURS_OF_ISSUES_BY_NAME if scope.has_names else _HOURS_OF_ISSUES
        for issue_id, at_ms, count in db.execute(statement, bindings | scope.hours._asdict()):
            found[issue_id].append((at_ms, count))
    for span in spans:
        for issue_id, at_ms, count in db.execute(_MINUTES_OF_ISSUES, bindings | {"minutes": _starts(span, MINUTE_MS)}):
            found[issue_id].append((at_ms, count))
    return found


def project_events(db: Db, project_ids: Sequence[int], scope: CountScope) -> int:
    """Events of these projects together."""
    return sum(count for _, count in _project_hours(db, project_ids, scope, scope.edges))


def project_series(db: Db, project_ids: Sequence[int], scope: CountScope) -> ProjectSeries:
    """The events of these projects together over time: by minute where minutes are kept and events are few. Hours are
    kept longer, so they have the last word."""
    by_hour = ProjectSeries(scope.aligned, _project_hours(db, project_ids, scope, scope.edges))
    has_minutes = scope.window.unit_ms == MINUTE_MS
    if not has_minutes or (not _is_made_of_minutes(scope) and by_hour.total > EVENTS_BY_MINUTE_MAX):
        return by_hour
    span = Span(scope.window.from_ms, scope.window.to_ms)
    by_minute = ProjectSeries(scope.window, _project_minutes(db, project_ids, scope, [span]))
    return by_minute if by_minute.total == by_hour.total else by_hour


def _is_made_of_minutes(scope: CountScope) -> bool:
    window = scope.window
    return window.unit_ms == MINUTE_MS and window.to_ms - window.from_ms <= MINUTES_MAX * MINUTE_MS


def _edge_counts(
    db: Db, project_ids: Sequence[int], issue_ids: Sequence[int], scope: CountScope
) -> Iterable[tuple[int, int]]:
    """Issue and count for the minutes at the edges, several times for an issue; perhaps of further issues, too."""
    for span in scope.edges:
        if len(issue_ids) <= SOUGHT_MAX:
            bindings = {"issue_ids": ids_json(issue_ids), "minutes": _starts(span, MINUTE_MS)} | scope.names
            yield from ((issue_id, count) for issue_id, _, count in db.execute(_MINUTES_OF_ISSUES, bindings))
        else:
            bindings = {"project_ids": ids_json(project_ids)} | span._asdict() | scope.names
            yield from ((row[0], int(row[1])) for row in db.execute(_MINUTES_OF_PROJECTS_BY_ISSUE, bindings))


def _project_hours(db: Db, project_ids: Sequence[int], scope: CountScope, edges: Iterable[Span]) -> Series:
    bindings: dict[str, Any] = {"project_ids": ids_json(project_ids)} | scope.names
    if scope.release:
        bindings["hours"] = _starts(scope.hours, HOUR_MS)
        rows = db.execute(_HOURS_OF_PROJECTS_BY_RELEASE, bindings)
    else:
        bindings |= scope.hours._asdict()
        rows = db.execute(_HOURS_OF_PROJECTS_BY_NAME if scope.has_names else _HOURS_OF_PROJECTS, bindings)
    hours = [(at_ms, int(count)) for at_ms, count in rows]
    return hours + _project_minutes(db, project_ids, scope, edges)


def _project_minutes(db: Db, project_ids: Sequence[int], scope: CountScope, spans: Iterable[Span]) -> Series:
    bindings: dict[str, Any] = {"project_ids": ids_json(project_ids)} | scope.names
    return [
        (at_ms, int(count))
        for span in spans
        for at_ms, count in db.execute(_MINUTES_OF_PROJECTS, bindings | span._asdict())
    ]


def _starts(span: Span, unit_ms: int) -> str:
    """Where its minutes or hours start, as a list that json_each reads."""
    return orjson.dumps([*range(span.from_ms, span.to_ms, unit_ms)]).decode()
