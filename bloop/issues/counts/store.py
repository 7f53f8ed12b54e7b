"""Everything that is only ever added to: aggregates, minutes, hours, routes and releases."""

from __future__ import annotations

from collections.abc import Mapping

from bloop.db.engine import Db
from bloop.issues.counts.fold import Totals
from bloop.issues.fingerprints.store import Owner

_UPSERT_AGGREGATE = """
INSERT INTO aggregates (project_id, issue_id, status, fingerprint_id, release, environment, event_count, first_seen_ms,
                        last_seen_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (fingerprint_id, release, environment) DO UPDATE
   SET event_count   = aggregates.event_count + excluded.event_count,
       last_seen_ms  = max(aggregates.last_seen_ms, excluded.last_seen_ms)
"""

# New rows have ids above all that were there. Of most batches there are none.
_SELECT_LAST_AGGREGATE = "SELECT coalesce(max(id), 0) FROM aggregates"
_COUNT_NEW_AGGREGATES = """
INSERT INTO kept_counts (project_id, kind, row_count)
SELECT project_id, 7, count(*) FROM aggregates WHERE id > ? GROUP BY project_id
    ON CONFLICT (project_id, kind) DO UPDATE SET row_count = kept_counts.row_count + excluded.row_count
"""

_UPSERT_MINUTE = """
INSERT INTO minute_counts (project_id, minute_ms, fingerprint_id, environment, source, event_count)
VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (project_id, minute_ms, fingerprint_id, environment, source) DO UPDATE
   SET event_count = minute_counts.event_count + excluded.event_count
"""

_UPSERT_HOUR = """
INSERT INTO hourly_counts (fingerprint_id, hour_ms, release, environment, source, event_count)
VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (fingerprint_id, hour_ms, release, environment, source) DO UPDATE
   SET event_count = hourly_counts.event_count + excluded.event_count
"""

_UPSERT_PROJECT_HOUR = """
INSERT INTO project_hourly_counts (project_id, hour_ms, release, environment, source, event_count)
VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (project_id, hour_ms, release, environment, source) DO UPDATE
   SET event_count = project_hourly_counts.event_count + excluded.event_count
"""

_UPSERT_ROUTE = """
INSERT INTO route_counts (project_id, route, event_count) VALUES (?, ?, ?)
    ON CONFLICT (project_id, route) DO UPDATE
   SET event_count = route_counts.event_count + excluded.event_count
"""

_UPSERT_RELEASE = """
INSERT INTO releases (project_id, release, environment, event_count, first_seen_ms, last_seen_ms)
VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (project_id, release, environment) DO UPDATE
   SET event_count   = releases.event_count + excluded.event_count,
       first_seen_ms = min(releases.first_seen_ms, excluded.first_seen_ms),
       last_seen_ms  = max(releases.last_seen_ms, excluded.last_seen_ms)
"""


def add(db: Db, totals: Totals, owners: Mapping[int, Owner], statuses: Mapping[int, str]) -> None:
    """Increase everything that hangs on fingerprints and projects; `statuses` are those of the issues."""
    last_id = db.execute(_SELECT_LAST_AGGREGATE).get
    db.executemany(
        _UPSERT_AGGREGATE,
        (
            (owners[key[0]].project_id, owners[key[0]].issue_id, statuses[owners[key[0]].issue_id], *key, *span)
            for key, span in totals.aggregates.items()
        ),
    )
    db.execute(_COUNT_NEW_AGGREGATES, (last_id,))
    db.executemany(
        _UPSERT_MINUTE,
        ((owners[k[0]].project_id, k[1], k[0], k[2], k[3], count) for k, count in totals.minutes.items()),
    )
    db.executemany(_UPSERT_HOUR, ((*key, count) for key, count in totals.hours.items()))
    db.executemany(_UPSERT_PROJECT_HOUR, ((*key, count) for key, count in totals.project_hours.items()))
    db.executemany(_UPSERT_ROUTE, ((*key, count) for key, count in totals.routes.items()))


def add_releases(db: Db, totals: Totals) -> None:
    """Register the releases and environments that were seen: before `issues.count`, which asks which came first."""
    db.executemany(_UPSERT_RELEASE, ((*key, *span) for key, span in totals.releases.items()))
