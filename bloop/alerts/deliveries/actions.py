"""What users do with deliveries: retry, dismiss. Call inside a transaction; the alerts process does the sending."""

from __future__ import annotations

from bloop.alerts.deliveries.read import DeliveryState, get_delivery
from bloop.base.errors import Conflict
from bloop.db.engine import Db

# A failed delivery gets ten new tries; a waiting one keeps its count and is only tried at once.
_RETRY = """
UPDATE deliveries
   SET attempts = CASE WHEN state = 'waiting' THEN attempts ELSE 0 END, state = 'waiting', next_try_at_ms = :now_ms
 WHERE id = :id AND state <> 'sent'
"""
_DISMISS = "UPDATE deliveries SET state = 'dismissed' WHERE id = :id AND state IN ('waiting', 'failed')"


# A clock that was corrected backwards leaves no visit in the future.
_VISIT = """
INSERT INTO delivery_log_visits (user_id, visited_at_ms) VALUES (:user_id, :now_ms)
    ON CONFLICT (user_id) DO UPDATE SET visited_at_ms = excluded.visited_at_ms
"""


def record_visit(db: Db, user_id: str, now_ms: int) -> None:
    """This person has opened the delivery log: failures from before are seen."""
    db.execute(_VISIT, {"user_id": user_id, "now_ms": now_ms})


def retry(db: Db, delivery_id: int, now_ms: int) -> None:
    """Try again now. Raises: Conflict."""
    row = get_delivery(db, delivery_id)
    if row is None or not row.can_be_sent:
        raise Conflict("the rule or the channel was deleted")
    if row.is_test:
        raise Conflict("a test is sent once: send another one")
    _refuse_sent(row.state)
    db.execute(_RETRY, {"id": delivery_id, "now_ms": now_ms})


def dismiss(db: Db, delivery_id: int) -> None:
    """Stop trying. Raises: Conflict."""
    row = get_delivery(db, delivery_id)
    if row is not None:
        _refuse_sent(row.state)
    db.execute(_DISMISS, {"id": delivery_id})


def _refuse_sent(state: DeliveryState) -> None:
    if state is DeliveryState.SENT:
        raise Conflict("it was sent")
