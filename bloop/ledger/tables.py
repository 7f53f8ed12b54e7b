"""Tables of the ledger, dead letters and rejections."""

from __future__ import annotations

from bloop.db.tables import Keep, Table

_PRUNE_LEDGER = """
DELETE FROM ledger WHERE (minute_ms, project_id, category, outcome) IN (
    SELECT minute_ms, project_id, category, outcome FROM ledger WHERE minute_ms < :before_ms LIMIT :rows_max)
"""
_PURGE_OVERFLOW_COUNTS = """
DELETE FROM overflow_counts WHERE (project_id, hour_ms, kind) IN (
    SELECT project_id, hour_ms, kind FROM overflow_counts WHERE project_id = :project_id LIMIT :rows_max)
"""
_PRUNE_OVERFLOW_COUNTS = """
DELETE FROM overflow_counts WHERE (project_id, hour_ms, kind) IN (
    SELECT o.project_id, o.hour_ms, o.kind
      FROM projects AS p CROSS JOIN overflow_counts AS o
     WHERE o.project_id = p.id AND o.hour_ms < :before_ms
     LIMIT :rows_max)
"""
_PRUNE_DAY_BYTES = """
DELETE FROM day_bytes WHERE (day_ms, project_id) IN (
    SELECT day_ms, project_id FROM day_bytes WHERE day_ms < :before_ms LIMIT :rows_max)
"""
_PURGE_REJECTIONS = "DELETE FROM rejections WHERE project_id = :project_id"
_PRUNE_REJECTIONS = """
DELETE FROM rejections WHERE id IN (SELECT id FROM rejections WHERE rejected_at_ms < :before_ms LIMIT :rows_max)
"""
_PURGE_DEAD_LETTERS = "DELETE FROM dead_letters WHERE project_id = :project_id"
_PRUNE_DEAD_LETTERS = """
DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters WHERE dead_at_ms < :before_ms LIMIT :rows_max)
"""

TABLES = (
    Table(
        name="ledger",
        label="Ledger by minute",
        outlives_project="all-time counts must keep balancing; they hold no name",
        keep=Keep.LEDGER,
        prune=_PRUNE_LEDGER,
    ),
    Table(name="overflow_counts", purge=(_PURGE_OVERFLOW_COUNTS,), keep=Keep.LEDGER, prune=_PRUNE_OVERFLOW_COUNTS),
    Table(
        name="day_bytes",
        outlives_project="a number a day, which goes with the ledger's minutes",
        keep=Keep.LEDGER,
        prune=_PRUNE_DAY_BYTES,
    ),
    Table(name="ledger_totals", outlives_project="as the ledger"),
    Table(name="ring_cells", outlives_project="as the ledger; it goes with its ring"),
    Table(name="ring_cursors"),
    Table(name="rejections", purge=(_PURGE_REJECTIONS,), keep=Keep.SAMPLES, prune=_PRUNE_REJECTIONS),
    Table(name="dead_letters", purge=(_PURGE_DEAD_LETTERS,), keep=Keep.SAMPLES, prune=_PRUNE_DEAD_LETTERS),
)
