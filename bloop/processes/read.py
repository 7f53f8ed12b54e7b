"""The last reports of the background processes."""

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
    """Every background process that ever ran here, by name; codes of newer versions are left out."""
    known = set(Reason)
    return [
        ProcessState(name, started_at_ms, seen_at_ms, tuple(Reason(t) for t in orjson.loads(troubles) if t in known))
        for name, started_at_ms, seen_at_ms, troubles in db.execute(_SELECT)
    ]


def troubles(states: list[ProcessState], now_ms: int) -> list[Reason]:
    """The problems that processes report, and the processes that stopped reporting. Pure."""
    reasons: list[Reason] = []
    for state in states:
        if now_ms - state.seen_at_ms <= STALE_MS:
            reasons += state.troubles
        elif state.name in _STALE:
            reasons.append(_STALE[state.name])
    return reasons
