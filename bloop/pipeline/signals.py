"""The outbox: what happened, in the transaction in which it happened.

Alerts, live streams and webhooks each read it with a cursor of their own; ids rise and are never reused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from bloop.db.engine import Db


class SignalKind(StrEnum):
    ISSUE_NEW = "issue.new"
    ISSUE_REGRESSED = "issue.regressed"
    ISSUE_RESOLVED = "issue.resolved"
    ISSUE_IGNORED = "issue.ignored"
    ISSUE_MUTED = "issue.muted"
    ISSUE_UNRESOLVED = "issue.unresolved"
    ISSUE_UNMUTED = "issue.unmuted"  # a mute ended by itself
    ISSUE_ASSIGNED = "issue.assigned"


class Signal(NamedTuple):
    kind: SignalKind
    project_id: int
    issue_id: int
    at_ms: int
    data: Mapping[str, Any]


_INSERT = "INSERT INTO signals (kind, project_id, issue_id, at_ms, data) VALUES (?, ?, ?, ?, ?)"


def append(db: Db, signals: Iterable[Signal]) -> None:
    """Append in order; call inside the transaction that makes them true."""
    rows = ((s.kind.value, s.project_id, s.issue_id, s.at_ms, orjson.dumps(dict(s.data)).decode()) for s in signals)
    db.executemany(_INSERT, rows)
