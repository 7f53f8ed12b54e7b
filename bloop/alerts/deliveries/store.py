"""Deliveries as the alerts process writes them: one per firing and channel, and the result of each try.

DELIVERY-1  A delivery is `waiting` until a receiver accepts it (`sent`), its tries are used up (`failed`), or it is no
            longer wanted (`dismissed`). Only waiting ones are tried; users' changes are in deliveries/actions.py.
DELIVERY-2  `message_key` is created once. A try whose answer was lost is repeated with the same key, so receivers can
            recognise it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import NamedTuple

from bloop.db.engine import Db


class Attempt(NamedTuple):
    """What is kept of one try besides its result; `answer` of tests only (RESULT-3)."""

    duration_ms: int | None = None
    answer: str | None = None


UNMEASURED = Attempt()


class DeliveryTarget(NamedTuple):
    """A receiver: `channel_id` None is a default channel of the configuration; `shown` holds no secret."""

    channel_id: int | None
    channel_type: str
    shown: str


_INSERT = """
INSERT INTO deliveries (firing_id, rule_id, channel_id, channel_type, target, message_key, next_try_at_ms,
                        created_at_ms)
VALUES (:firing_id, :rule_id, :channel_id, :channel_type, :target, :message_key, :now_ms, :now_ms)
"""
# Also a delivery that was dismissed while in flight: it arrived.
_SENT = """
UPDATE deliveries
   SET state = 'sent', attempts = attempts + 1, last_error = NULL, last_status = :status, last_answer = :answer,
       last_duration_ms = :duration_ms, sent_at_ms = :now_ms
 WHERE id = :id
"""
_AGAIN = """
UPDATE deliveries
   SET attempts = attempts + 1, next_try_at_ms = :next_try_at_ms, last_error = :error, last_status = :status,
       last_answer = :answer, last_duration_ms = :duration_ms
 WHERE id = :id AND state = 'waiting'
"""
_GIVE_UP = """
UPDATE deliveries
   SET state = 'failed', attempts = attempts + 1, next_try_at_ms = :now_ms, last_error = :error, last_status = :status,
       last_answer = :answer, last_duration_ms = :duration_ms
 WHERE id = :id AND state = 'waiting'
"""

_SKIP = """
UPDATE deliveries SET state = 'dismissed', attempts = attempts + 1, last_error = :why
 WHERE id = :id AND state = 'waiting'
"""

# Tests are not paused: a user waits for them, and they come one at a time.
_PAUSE = """
UPDATE deliveries SET next_try_at_ms = :until_ms
 WHERE state = 'waiting' AND next_try_at_ms < :until_ms AND channel_type = :channel_type
   AND channel_id IS NOT DISTINCT FROM :channel_id AND firing_id NOT IN (SELECT id FROM alert_firings WHERE is_test = 1)
"""


def _new_key() -> str:
    return str(uuid.uuid4())


def add(
    db: Db,
    firing_id: int,
    rule_id: int | None,
    targets: Iterable[DeliveryTarget],
    now_ms: int,
    new_key: Callable[[], str] = _new_key,
) -> None:
    """One delivery per target, due at once."""
    for target in targets:
        row = {
            "firing_id": firing_id,
            "rule_id": rule_id,
            "channel_id": target.channel_id,
            "channel_type": target.channel_type,
            "target": target.shown,
            "message_key": new_key(),
            "now_ms": now_ms,
        }
        db.execute(_INSERT, row)


def mark_sent(db: Db, delivery_id: int, *, status: int | None, now_ms: int, attempt: Attempt = UNMEASURED) -> None:
    db.execute(_SENT, {"id": delivery_id, "status": status, "now_ms": now_ms} | attempt._asdict())


def schedule_retry(
    db: Db,
    delivery_id: int,
    *,
    next_try_at_ms: int,
    error: str,
    status: int | None,
    attempt: Attempt = UNMEASURED,
) -> None:
    """This try failed; another follows."""
    row = {"id": delivery_id, "next_try_at_ms": next_try_at_ms, "error": error, "status": status}
    db.execute(_AGAIN, row | attempt._asdict())


def pause_channel(db: Db, channel_type: str, channel_id: int | None, until_ms: int) -> None:
    """The receiver asked for a pause: try no waiting delivery of this channel before `until_ms`."""
    db.execute(_PAUSE, {"channel_type": channel_type, "channel_id": channel_id, "until_ms": until_ms})


def mark_skipped(db: Db, delivery_id: int, *, why: str) -> None:
    """The settings switch its channel off."""
    db.execute(_SKIP, {"id": delivery_id, "why": why})


def mark_failed(
    db: Db, delivery_id: int, *, error: str, status: int | None, now_ms: int, attempt: Attempt = UNMEASURED
) -> None:
    """The last try failed. `next_try_at_ms` becomes the time at which it did."""
    row = {"id": delivery_id, "error": error, "status": status, "now_ms": now_ms}
    db.execute(_GIVE_UP, row | attempt._asdict())
