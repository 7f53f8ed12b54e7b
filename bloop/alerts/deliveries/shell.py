"""The mark beside Alerts in the frame of every page."""

from __future__ import annotations

from bloop.alerts.deliveries.read import count_unseen_failures
from bloop.auth.principal import Principal
from bloop.db.engine import Db


def unseen_failures(db: Db, principal: Principal, now_ms: int) -> int:
    """Deliveries of the last day that failed and that this person has not seen in the log; at most UNSEEN_MAX."""
    return count_unseen_failures(db, principal.id, now_ms)
