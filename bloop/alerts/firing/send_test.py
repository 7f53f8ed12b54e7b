"""A test of a rule: a message to each of its channels, and the answers.

SEND-TEST-1  It takes the path of every message, through the delivery log and the alerts process, so it also shows
    whether that process runs.
SEND-TEST-2  It is tried once. Deliveries that did not arrive are dismissed: the user who tested has the answer, and
    no other user should be bothered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from bloop.alerts.deliveries import actions as alert_log
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState, deliveries_of
from bloop.alerts.deliveries.store import DeliveryTarget
from bloop.alerts.firing import store as alerts
from bloop.alerts.firing.store import FiringFields
from bloop.alerts.message import AlertMessage, to_json
from bloop.alerts.rules.read import RuleRow, list_channels
from bloop.db.engine import Db
from bloop.processes.read import ALERTS, STALE_MS, process_states

TEST = "test"
WAIT_S = 15.0  # a receiver has ten seconds to answer
_LOOK_EVERY_S = 0.05
NO_PROCESS = "the alerts process does not run"
NO_ANSWER = f"no answer within {WAIT_S:g} seconds"

Fallbacks = Sequence[tuple[str, Mapping[str, Any]]]
TargetOf = Callable[[str, Mapping[str, Any]], str]


class TrialResult(NamedTuple):
    """The result at one channel; `channel_id` None is a default channel of the configuration."""

    channel_id: int | None
    channel_type: str
    target: str
    state: str  # sent or failed
    detail: str
    status: int | None


def start(db: Db, rule: RuleRow, fallbacks: Fallbacks, target_of: TargetOf, *, origin: str, now_ms: int) -> int:
    """Store the test's firing in the caller's transaction; return its id. `target_of` names a config's receiver."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    message = AlertMessage(
        rule_id=rule.id,
        rule_name=rule.name,
        rule_type=TEST,
        project_id=rule.project_public_id or "",
        project_name=rule.project_name or "",
        project_slug=rule.project_slug or "",
        at_ms=now_ms,
        text=f"Test of alert rule {rule.id}, {at}: its alerts arrive here.",
        url=f"{origin.rstrip('/')}/settings/alerts/{rule.id}",
    )
    firing_id = alerts.add_firing(
        db,
        FiringFields(
            rule_id=rule.id,
            rule_name=rule.name,
            rule_type=TEST,
            project_id=rule.project_id,
            key=TEST,
            fired_at_ms=now_ms,
            message=to_json(message),
            is_test=True,
        ),
    )
    own = [
        DeliveryTarget(c.id, c.channel_type, target_of(c.channel_type, c.config)) for c in list_channels(db, [rule.id])
    ]
    targets = own or [DeliveryTarget(None, kind, target_of(kind, config)) for kind, config in fallbacks]
    deliveries.add(db, firing_id, rule.id, targets, now_ms)
    return firing_id


def wait(read: Callable[[], list[DeliveryRow]], within_s: float) -> list[DeliveryRow]:
    """The deliveries once every receiver answered, or as they are when the time is up."""
    deadline = time.monotonic() + within_s
    while True:
        rows = read()
        if all(map(_is_answered, rows)) or time.monotonic() >= deadline:
            return rows
        time.sleep(_LOOK_EVERY_S)


def end(db: Db, firing_id: int) -> None:
    """Dismiss what did not arrive (SEND-TEST-2). Call inside a transaction."""
    for row in deliveries_of(db, firing_id):
        if row.state is not DeliveryState.SENT:
            alert_log.dismiss(db, row.id)


def outcomes(rows: Sequence[DeliveryRow], *, is_running: bool) -> list[TrialResult]:
    return [
        TrialResult(
            channel_id=row.channel_id,
            channel_type=row.channel_type,
            target=row.target,
            state="sent" if row.state is DeliveryState.SENT else "failed",
            detail=row.last_error or ("" if _is_answered(row) else NO_ANSWER if is_running else NO_PROCESS),
            status=row.last_status,
        )
        for row in rows
    ]


def is_running(db: Db, now_ms: int) -> bool:
    """Whether the alerts process has reported recently."""
    return any(state.name == ALERTS and now_ms - state.seen_at_ms <= STALE_MS for state in process_states(db))


def _is_answered(row: DeliveryRow) -> bool:
    return row.attempts > 0 or row.state is DeliveryState.SENT
