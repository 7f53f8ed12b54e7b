"""Deliveries as the alerts process writes them: one per firing and channel, and what came of each try.

X1  A delivery is `waiting` until a receiver took it (`sent`), it was given up (`failed`), or nobody wants it any more
    (`dismissed`). Only one that waits is tried; what people do to them is in alerts/deliveries/actions.py.
X2  `message_key` is made once. A try whose answer was lost is repeated with the same key, so receivers can tell.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import NamedTuple

from bloop.db.engine import Db


class DeliveryTarget(NamedTuple):
    """Where to: `channel_id` None is the installation's fallback; `shown` is for people and holds no secret."""

    channel_id: int | None
    channel_type: str
    shown: str


_INSERT = """
INSERT INTO deliveries (firing_id, rule_id, channel_id, channel_type, target, message_key, next_try_at_ms,
                        created_at_ms)
VALUES (:firing_id, :rule_id, :channel_id, :channel_type, :target, :message_key, :now_ms, :now_ms)
"""
# Also of one that was dismissed while it was on its way: it arrived.
_SENT = """
UPDATE deliveries
   SET state = 'sent', attempts = attempts + 1, last_error = NULL, last_status = :status, sent_at_ms = :now_ms
 WHERE id = :id
"""
_AGAIN = """
UPDATE deliveries
   SET attempts = attempts + 1, next_try_at_ms = :next_try_at_ms, last_error = :error, last_status = :status
 WHERE id = :id AND state = 'waiting'
"""
_GIVE_UP = """
UPDATE deliveries SET state = 'failed', attempts = attempts + 1, last_error = :error, last_status = :status
 WHERE id = :id AND state = 'waiting'
"""

_SKIP = """
UPDATE deliveries SET state = 'dismissed', attempts = attempts + 1, last_error = :why
 WHERE id = :id AND state = 'waiting'
"""

# Tests go on: somebody waits for them, and they come one at a time.
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
    """One for each target, due at once."""
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


def sent(db: Db, delivery_id: int, *, status: int | None, now_ms: int) -> None:
    db.execute(_SENT, {"id": delivery_id, "status": status, "now_ms": now_ms})


def again(db: Db, delivery_id: int, *, next_try_at_ms: int, error: str, status: int | None) -> None:
    """This try came to nothing; another follows."""
    row = {"id": delivery_id, "next_try_at_ms": next_try_at_ms, "error": error, "status": status}
    db.execute(_AGAIN, row)


def pause(db: Db, channel_type: str, channel_id: int | None, until_ms: int) -> None:
    """The receiver asked to be left alone: nothing that waits for this channel is tried before `until_ms`."""
    db.execute(_PAUSE, {"channel_type": channel_type, "channel_id": channel_id, "until_ms": until_ms})


def skip(db: Db, delivery_id: int, *, why: str) -> None:
    """The settings do not want it sent."""
    db.execute(_SKIP, {"id": delivery_id, "why": why})


def give_up(db: Db, delivery_id: int, *, error: str, status: int | None) -> None:
    """This try was the last."""
    db.execute(_GIVE_UP, {"id": delivery_id, "error": error, "status": status})
