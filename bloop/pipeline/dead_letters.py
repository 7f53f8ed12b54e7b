"""Records that decode or store with an error: kept with the reason, bounded, never in the way of the others."""

from __future__ import annotations

from bloop.db.engine import Db

ROWS_MAX = 1000  # the newest; older ones go, their count stays in the ledger
PAYLOAD_BYTES_MAX = 64 * 1024

_INSERT = """
INSERT INTO dead_letters (dead_at_ms, project_id, record_kind, reason, payload)
VALUES (:dead_at_ms, :project_id, :record_kind, :reason, :payload)
"""
_TRIM = "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - :rows_max"


def add(db: Db, *, dead_at_ms: int, project_id: int, record_kind: int, reason: str, payload: bytes) -> None:
    """Keep one, cut to PAYLOAD_BYTES_MAX."""
    bindings = {"dead_at_ms": dead_at_ms, "project_id": project_id, "record_kind": record_kind}
    db.execute(_INSERT, bindings | {"reason": reason[:500], "payload": payload[:PAYLOAD_BYTES_MAX]})
    db.execute(_TRIM, {"rows_max": ROWS_MAX})
