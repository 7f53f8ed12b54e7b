"""Row counts and their growth, without counting millions of rows for a page.

Small tables are counted on request. The retention process counts large ones every hour; for events, the newer ones are
added, because ids rise by one with each event.
"""

from __future__ import annotations

from typing import NamedTuple

import orjson

from bloop import features
from bloop.db.engine import Db
from bloop.db.tables import Table

COUNTED_NOW_MAX = 50_000  # rows counted on request: under a millisecond

_COUNT_EVENTS_TO = "SELECT count(*) FROM (SELECT 1 FROM events_by_fingerprint LIMIT :rows_max) AS counted"
_COUNT_HOURS_TO = "SELECT count(*) FROM (SELECT 1 FROM hourly_counts LIMIT :rows_max) AS counted"
_SELECT_NEWEST_EVENT = "SELECT coalesce(max(id), 0) FROM events"
_SELECT_OLDEST_EVENT = "SELECT received_at_ms FROM events ORDER BY id LIMIT 1"
_SELECT_SAMPLES = """
SELECT sampled_at_ms, database_bytes, reusable_bytes, wal_bytes, disk_free_bytes, event_id, row_counts
  FROM storage_samples
 WHERE day_ms >= :since_ms
 ORDER BY day_ms
"""
_SELECT_LAST_SAMPLE = """
SELECT sampled_at_ms, database_bytes, reusable_bytes, wal_bytes, disk_free_bytes, event_id, row_counts
  FROM storage_samples
 ORDER BY day_ms DESC LIMIT 1
"""


class StorageSample(NamedTuple):
    """The last measurement of a day."""

    sampled_at_ms: int
    database_bytes: int
    reusable_bytes: int
    wal_bytes: int
    disk_free_bytes: int
    event_id: int
    row_counts: dict[str, int]


def count_rows(db: Db) -> dict[str, int]:
    """The exact row count of every table on the storage page. Slow: for the retention process only."""
    return {table.name: int(db.execute(table.count).get or 0) for table in shown_tables()}


def shown_tables() -> list[Table]:
    """The tables on the storage page: those with a label."""
    return [table for table in features.tables() if table.label]


def newest_event_id(db: Db) -> int:
    return int(db.execute(_SELECT_NEWEST_EVENT).get or 0)


def oldest_event_ms(db: Db) -> int | None:
    """When the oldest stored event was received; None without events."""
    row = db.execute(_SELECT_OLDEST_EVENT).fetchone()
    return int(row[0]) if row else None


def samples_since(db: Db, since_ms: int) -> list[StorageSample]:
    """A sample a day, oldest first."""
    return [_sample(row) for row in db.execute(_SELECT_SAMPLES, {"since_ms": since_ms})]


def last_sample(db: Db) -> StorageSample | None:
    row = db.execute(_SELECT_LAST_SAMPLE).fetchone()
    return _sample(row) if row else None


def stored_events(db: Db) -> int:
    """Exact below COUNTED_NOW_MAX, else the last sample plus the events since."""
    counted = int(db.execute(_COUNT_EVENTS_TO, {"rows_max": COUNTED_NOW_MAX}).get or 0)
    sample = last_sample(db)
    if counted < COUNTED_NOW_MAX or sample is None:
        return counted
    return max(counted, sample.row_counts.get("events", 0) + max(0, newest_event_id(db) - sample.event_id))


def stored_hours(db: Db) -> int:
    """Rows of counts per issue and hour: exact below COUNTED_NOW_MAX, else as of the last sample."""
    counted = int(db.execute(_COUNT_HOURS_TO, {"rows_max": COUNTED_NOW_MAX}).get or 0)
    sample = last_sample(db)
    if counted < COUNTED_NOW_MAX or sample is None:
        return counted
    return max(counted, sample.row_counts.get("hourly_counts", 0))


def _sample(row: tuple[object, ...]) -> StorageSample:
    return StorageSample._make((*row[:-1], orjson.loads(str(row[-1]))))
