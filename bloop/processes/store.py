"""Stores the heartbeat and the problems of a background process, in one small transaction."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from bloop.base.reasons import Reason
from bloop.db.engine import Db

_UPSERT = """
INSERT INTO process_states (name, started_at_ms, seen_at_ms, troubles)
VALUES (:name, :started_at_ms, :now_ms, :troubles)
    ON CONFLICT (name) DO UPDATE SET
       started_at_ms = excluded.started_at_ms, seen_at_ms = excluded.seen_at_ms, troubles = excluded.troubles
"""


def store_heartbeat(db: Db, name: str, *, started_at_ms: int, now_ms: int, troubles: Iterable[Reason]) -> None:
    codes = orjson.dumps(sorted(set(troubles))).decode()
    db.execute(_UPSERT, {"name": name, "started_at_ms": started_at_ms, "now_ms": now_ms, "troubles": codes})
