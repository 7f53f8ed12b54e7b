"""Records one sample of all sizes per day, for the storage page. Call inside a transaction."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from bloop.base.clock import DAY_MS
from bloop.db.engine import Db

DAYS_KEPT = 400

_UPSERT = """
INSERT INTO storage_samples (day_ms, sampled_at_ms, database_bytes, reusable_bytes, wal_bytes, disk_free_bytes,
                             event_id, row_counts)
VALUES (:day_ms, :now_ms, :database_bytes, :reusable_bytes, :wal_bytes, :disk_free_bytes, :event_id, :row_counts)
    ON CONFLICT (day_ms) DO UPDATE
   SET sampled_at_ms = excluded.sampled_at_ms, database_bytes = excluded.database_bytes,
       reusable_bytes = excluded.reusable_bytes, wal_bytes = excluded.wal_bytes,
       disk_free_bytes = excluded.disk_free_bytes, event_id = excluded.event_id, row_counts = excluded.row_counts
"""
_FORGET = "DELETE FROM storage_samples WHERE day_ms < :before_ms"


def save_sample(
    db: Db, sizes: Mapping[str, int | None], *, event_id: int, row_counts: Mapping[str, int], now_ms: int
) -> None:
    """Save the current sizes as this day's sample; `sizes` are the columns that end in _bytes."""
    day_ms = now_ms - now_ms % DAY_MS
    row = {name: size or 0 for name, size in sizes.items()}
    row |= {"day_ms": day_ms, "now_ms": now_ms, "event_id": event_id}
    db.execute(_UPSERT, {**row, "row_counts": orjson.dumps(dict(row_counts)).decode()})
    db.execute(_FORGET, {"before_ms": day_ms - DAYS_KEPT * DAY_MS})
