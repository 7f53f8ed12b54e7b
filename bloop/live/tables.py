"""The table of signals, which live streams and alerts read."""

from __future__ import annotations

from bloop.db.tables import Keep, PurgeBy, Table

_PURGE_SIGNALS = "DELETE FROM signals WHERE id IN (SELECT value FROM json_each(:ids))"
# Walks the table: there is no index by project.
_FIND_SIGNALS = "SELECT id FROM signals WHERE project_id = :project_id LIMIT :rows_max"
# Signals are kept until alerts have read them, the newest one always: streams compare its id with theirs. Looks at the
# oldest ids only, since times need not rise with ids.
_PRUNE_SIGNALS = """
DELETE FROM signals WHERE id IN (
    SELECT o.id
      FROM (SELECT id, at_ms FROM signals
             WHERE id <= (SELECT signal_id FROM alert_cursor) AND id < (SELECT max(id) FROM signals)
             ORDER BY id LIMIT 5000) AS o
     WHERE o.at_ms < :before_ms LIMIT :rows_max)
"""

TABLES = (
    Table(
        name="signals",
        label="Signals",
        note="read by streams and alerts",
        purge=(_PURGE_SIGNALS,),
        purge_by=PurgeBy.ID,
        purge_find=_FIND_SIGNALS,
        keep=Keep.SIGNALS,
        prune=_PRUNE_SIGNALS,
    ),
)
