"""A test of a rule or of a channel: a message to each receiver, and the answers.

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
from bloop.alerts.places import channel_path, rule_path
from bloop.alerts.rules.read import RuleRow, list_channels
from bloop.alerts.rules.words import channel_label
from bloop.alerts.saved_channels.read import SavedChannel
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
    answer: str | None  # the beginning of the receiver's text, where it may be shown (RESULT-3)
    duration_ms: int | None  # None: it has not answered


class TestSubject(NamedTuple):
    """The rule or the channel that is tested, as the message names it. `path` is its page."""

    rule_id: int | None
    name: str
    text: str
    path: str
    project_id: int | None
    project_public_id: str
    project_name: str
    project_slug: str


def of_rule(rule: RuleRow, at: str) -> TestSubject:
    return TestSubject(
        rule_id=rule.id,
        name=rule.name,
        text=f"Test of alert rule {rule.id}, {at}: its alerts arrive here.",
        path=rule_path(rule.id),
        project_id=rule.project_id,
        project_public_id=rule.project_public_id or "",
        project_name=rule.project_name or "",
        project_slug=rule.project_slug or "",
    )


def of_channel(channel: SavedChannel, label: str, at: str) -> TestSubject:
    return TestSubject(
        rule_id=None,
        name=label,
        text=f"Test of channel {label}, {at}: its alerts arrive here.",
        path=channel_path(channel.id),
        project_id=channel.project_id,
        project_public_id=channel.project_public_id or "",
        project_name=channel.project_name or "",
        project_slug=channel.project_slug or "",
    )


def start(db: Db, subject: TestSubject, targets: Sequence[DeliveryTarget], *, origin: str, now_ms: int) -> int:
    """Store the test's firing in the caller's transaction; return its id."""
    message = AlertMessage(
        rule_id=subject.rule_id,
        rule_name=subject.name,
        rule_type=TEST,
        project_id=subject.project_public_id,
        project_name=subject.project_name,
        project_slug=subject.project_slug,
        at_ms=now_ms,
        text=subject.text,
        url=f"{origin.rstrip('/')}{subject.path}",
    )
    firing_id = alerts.add_firing(
        db,
        FiringFields(
            rule_id=subject.rule_id,
            rule_name=subject.name,
            rule_type=TEST,
            project_id=subject.project_id,
            key=TEST,
            fired_at_ms=now_ms,
            message=to_json(message),
            is_test=True,
        ),
    )
    deliveries.add(db, firing_id, subject.rule_id, targets, now_ms)
    return firing_id


def start_of_rule(db: Db, rule: RuleRow, fallbacks: Fallbacks, target_of: TargetOf, *, origin: str, now_ms: int) -> int:
    """Start a test of the rule's channels, without any of the fallbacks. `target_of` names a config's receiver."""
    own = [
        DeliveryTarget(c.id, c.channel_type, target_of(c.channel_type, c.config)) for c in list_channels(db, [rule.id])
    ]
    targets = own or [DeliveryTarget(None, kind, target_of(kind, config)) for kind, config in fallbacks]
    return start(db, of_rule(rule, _written(now_ms)), targets, origin=origin, now_ms=now_ms)


def start_of_channel(db: Db, channel: SavedChannel, target_of: TargetOf, *, origin: str, now_ms: int) -> int:
    """Start a test of one channel, whether or not a rule uses it."""
    shown = target_of(channel.channel_type, channel.config)
    label = channel.name or channel_label(channel.channel_type, shown)
    targets = [DeliveryTarget(channel.id, channel.channel_type, shown)]
    return start(db, of_channel(channel, label, _written(now_ms)), targets, origin=origin, now_ms=now_ms)


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
            answer=row.last_answer,
            duration_ms=row.last_duration_ms,
        )
        for row in rows
    ]


def is_running(db: Db, now_ms: int) -> bool:
    """Whether the alerts process has reported recently."""
    return any(state.name == ALERTS and now_ms - state.seen_at_ms <= STALE_MS for state in process_states(db))


def _written(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _is_answered(row: DeliveryRow) -> bool:
    return row.attempts > 0 or row.state is DeliveryState.SENT
