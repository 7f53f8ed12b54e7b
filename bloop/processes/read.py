"""What the background processes last said of themselves."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from bloop.base.reasons import Reason
from bloop.db.engine import Db

SEEN_EVERY_S = 15.0
STALE_MS = 60_000

ALERTS, RETENTION = "alerts", "retention"
_STALE = {ALERTS: Reason.ALERTS_STALE, RETENTION: Reason.RETENTION_STALE}


class ProcessState(NamedTuple):
    name: str
    started_at_ms: int
    seen_at_ms: int
    troubles: tuple[Reason, ...]


_SELECT = "SELECT name, started_at_ms, seen_at_ms, troubles FROM process_states ORDER BY name"


def process_states(db: Db) -> list[ProcessState]:
    """Every background process that ever ran here, by name; codes a newer bloop wrote are left out."""
    known = set(Reason)
    return [
        ProcessState(name, started_at_ms, seen_at_ms, tuple(Reason(t) for t in orjson.loads(troubles) if t in known))
        for name, started_at_ms, seen_at_ms, troubles in db.execute(_SELECT)
    ]


def troubles(states: list[ProcessState], now_ms: int) -> list[Reason]:
    """What the processes report, and those that have stopped reporting. Pure."""
    found: list[Reason] = []
    for state in states:
        if now_ms - state.seen_at_ms <= STALE_MS:
            found += state.troubles
        elif state.name in _STALE:
            found.append(_STALE[state.name])
    return found
