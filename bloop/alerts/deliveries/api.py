"""/v1/deliveries: the delivery log. A token sees the deliveries of its project's rules. Times in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import falcon

from bloop.alerts.deliveries import actions as alert_log
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState, get_delivery, list_deliveries
from bloop.alerts.rules.access import ID_MAX, NOT_YOURS
from bloop.auth.access import may_change_alerts
from bloop.auth.principal import Principal
from bloop.base.errors import Forbidden, InvalidParameter, NotFound
from bloop.db.engine import Db
from bloop.db.walk import PageKey
from bloop.site import params
from bloop.site.bodies import answer_json
from bloop.site.deps import Deps
from bloop.site.paging import Pager
from bloop.site.principal import principal_of


class DeliveriesApi:
    def __init__(self, deps: Deps, pager: Pager) -> None:
        self._deps, self._pager = deps, pager

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, state = principal_of(req), state_in(req)
        rule_id = params.integer(req, "rule_id", 0, low=0, high=ID_MAX) or None
        listing = ("deliveries", principal.project_ids, state, rule_id)
        start = self._pager.start(req, listing)
        with self._deps.database.reader() as db:
            rows = list_deliveries(
                db,
                state=state,
                rule_id=rule_id,
                project_ids=principal.project_ids,
                before_id=start.before.id if start.before else None,
                skip=start.skip,
                limit=start.limit + 1,
            )
        shown = rows[: start.limit]
        more = PageKey(0, "", shown[-1].id) if len(rows) > start.limit else None
        self._pager.finish(req, resp, listing, start, more)
        answer_json(resp, [*map(delivery, shown)])

    def on_post_retry(self, req: falcon.Request, resp: falcon.Response, delivery_id: int) -> None:
        answer_json(resp, delivery(retry(self._deps, principal_of(req), delivery_id)))

    def on_post_dismiss(self, req: falcon.Request, resp: falcon.Response, delivery_id: int) -> None:
        answer_json(resp, delivery(dismiss(self._deps, principal_of(req), delivery_id)))


# Changes that the settings pages make too -----------------------------------------------------------------------------


def retry(deps: Deps, principal: Principal, delivery_id: int) -> DeliveryRow:
    """Try again now.

    Raises:
        NotFound, Forbidden: no such delivery, or not the caller's to change.
        Conflict: it was sent, or its rule or channel was deleted.
    """
    return _act(deps, principal, delivery_id, lambda db: alert_log.retry(db, delivery_id, deps.now_ms()))


def dismiss(deps: Deps, principal: Principal, delivery_id: int) -> DeliveryRow:
    """Stop trying, and stop reporting that it failed.

    Raises:
        NotFound, Forbidden: no such delivery, or not the caller's to change.
        Conflict: it was sent.
    """
    return _act(deps, principal, delivery_id, lambda db: alert_log.dismiss(db, delivery_id))


def may_change_delivery(principal: Principal, row: DeliveryRow) -> bool:
    """Who may change its rule; once the rule is deleted, only admins."""
    return may_change_alerts(principal, row.rule_project_id, row.rule_project_created_by)


def state_in(req: falcon.Request) -> DeliveryState | None:
    """Raises: InvalidParameter."""
    value = req.get_param("state")
    try:
        return DeliveryState(value) if value else None
    except ValueError:
        raise InvalidParameter("state", f"must be one of {', '.join(DeliveryState)}") from None


def _act(deps: Deps, principal: Principal, delivery_id: int, do: Callable[[Db], None]) -> DeliveryRow:
    def act(db: Db) -> DeliveryRow:
        row = get_delivery(db, delivery_id) if 0 < delivery_id <= ID_MAX else None
        is_hidden = principal.project_ids is not None and (
            row is None or row.rule_project_id not in principal.project_ids
        )
        if row is None or is_hidden:
            raise NotFound(f"delivery {delivery_id} not found")
        if not may_change_delivery(principal, row):
            raise Forbidden(NOT_YOURS)
        do(db)
        changed = get_delivery(db, delivery_id)
        assert changed is not None, "found in this transaction"
        return changed

    return deps.database.change(act)


def delivery(row: DeliveryRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "firing_id": row.firing_id,
        "rule_id": row.rule_id,
        "rule": row.rule_name,
        "rule_type": row.rule_type,
        "project_id": row.project_public_id,
        "issue": row.short_id,
        "text": row.text,
        "is_test": row.is_test,
        "channel_id": row.channel_id,
        "channel_type": row.channel_type,
        "target": row.target,
        "state": row.state.value,
        "attempts": row.attempts,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "next_try_at": row.next_try_at_ms // 1000 if row.state is DeliveryState.WAITING else None,
        "created_at": row.created_at_ms // 1000,
        "sent_at": None if row.sent_at_ms is None else row.sent_at_ms // 1000,
    }
