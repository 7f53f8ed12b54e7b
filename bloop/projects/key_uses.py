"""Stores when a project's keys were last used, as the ingest workers report it: at most once a minute for each key."""

from __future__ import annotations

from collections.abc import Sequence

from bloop.pipeline.kinds import UncountedStore
from bloop.pipeline.signals import Signal
from bloop.records.record import KeyUse, Kind, decode_key_use

# A report may come late, from a spill: after newer ones, or for a key that was replaced meanwhile.
_USED_CURRENT = """
UPDATE projects
   SET key_used_at_ms = max(coalesce(key_used_at_ms, 0), :used_at_ms)
 WHERE id = :project_id AND coalesce(key_made_at_ms, created_at_ms) = :made_at_ms
"""
_USED_OLD = """
UPDATE old_keys
   SET used_at_ms = max(coalesce(used_at_ms, 0), :used_at_ms)
 WHERE project_id = :project_id AND made_at_ms = :made_at_ms
"""


class KeyUseStore(UncountedStore):
    kind = Kind.KEY_USE

    def decode(self, payload: bytes, version: int) -> KeyUse:
        return decode_key_use(payload, version)

    def insert(self, records: Sequence[KeyUse]) -> list[Signal]:
        for use in records:
            bindings = {
                "project_id": use.project_id,
                "made_at_ms": use.key_made_at_ms,
                "used_at_ms": use.received_at_ms,
            }
            self._db.execute(_USED_CURRENT, bindings)
            if not self._db.changes():
                self._db.execute(_USED_OLD, bindings)
        return []
