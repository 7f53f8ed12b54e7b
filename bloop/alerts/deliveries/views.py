"""/alerts/deliveries: the delivery log; retry, dismiss. A change answers 303 back to it.

LOG-PAGE-1  Opening the log takes the mark off Alerts in the rail, for this person.
"""

from __future__ import annotations

import functools

import falcon

from bloop.alerts.deliveries import actions as alert_log
from bloop.alerts.deliveries.api import dismiss, may_change_delivery, retry, state_in
from bloop.alerts.deliveries.pages import deliveries_page
from bloop.alerts.deliveries.read import DeliveryState, count_deliveries, count_unseen_failures, list_deliveries
from bloop.alerts.places import LOG_PATH
from bloop.alerts.rules.access import ID_MAX
from bloop.alerts.rules.read import get_rule
from bloop.auth.principal import Principal
from bloop.db.engine import Db
from bloop.db.walk import ROWS_MAX
from bloop.site import params
from bloop.site.deps import Deps
from bloop.site.html import back_to, send_page
from bloop.site.principal import principal_of

ROWS_SHOWN = 50
COUNTED = (DeliveryState.WAITING, DeliveryState.FAILED)


class DeliveryLog:
    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        principal, state = principal_of(req), state_in(req)
        rule_id = params.integer(req, "rule_id", 0, low=0, high=ID_MAX) or None
        before_id = params.integer(req, "before", 0, low=0, high=ID_MAX) or None
        self._record_visit(principal)
        with self._deps.database.reader() as db:
            rule = get_rule(db, rule_id) if rule_id else None
            rows = list_deliveries(
                db,
                state=state,
                rule_id=rule_id,
                project_ids=principal.project_ids,
                before_id=before_id,
                limit=ROWS_SHOWN + 1,
            )
            page = deliveries_page(
                self._deps.shell(db, principal),
                [(row, may_change_delivery(principal, row)) for row in rows[:ROWS_SHOWN]],
                {counted: count_deliveries(db, counted) for counted in COUNTED},
                state=state,
                rule_id=rule_id,
                rule_name=rule.name if rule else str(rule_id or ""),
                older_than=rows[ROWS_SHOWN - 1].id if len(rows) > ROWS_SHOWN else None,
                is_later_page=before_id is not None,
                notice=req.get_param("done") or "",
                now_ms=self._deps.now_ms(),
            )
        send_page(self._deps, req, resp, page)

    def _record_visit(self, principal: Principal) -> None:
        """Written only when there is something new to see: most visits write nothing."""
        now_ms = self._deps.now_ms()
        with self._deps.database.reader() as db:
            unseen = count_unseen_failures(db, principal.id, now_ms)
        if unseen:
            self._deps.database.change(lambda db: alert_log.record_visit(db, principal.id, now_ms))

    def on_post_retry(self, req: falcon.Request, resp: falcon.Response, delivery_id: int) -> None:
        retry(self._deps, principal_of(req), delivery_id)
        back_to(resp, LOG_PATH, "retried")

    def on_post_dismiss(self, req: falcon.Request, resp: falcon.Response, delivery_id: int) -> None:
        dismiss(self._deps, principal_of(req), delivery_id)
        back_to(resp, LOG_PATH, "dismissed")

    def on_post_dismiss_all(self, req: falcon.Request, resp: falcon.Response) -> None:
        """All failed ones that the user may change, newest first, in short transactions."""
        principal = principal_of(req)

        def dismiss_page(db: Db, before_id: int | None) -> int | None:
            rows = list_deliveries(db, state=DeliveryState.FAILED, before_id=before_id, limit=ROWS_MAX)
            for row in rows:
                if may_change_delivery(principal, row):
                    alert_log.dismiss(db, row.id)
            return rows[-1].id if len(rows) == ROWS_MAX else None

        before_id = self._deps.database.change(lambda db: dismiss_page(db, None))
        while before_id is not None:
            before_id = self._deps.database.change(functools.partial(dismiss_page, before_id=before_id))
        back_to(resp, LOG_PATH, "dismissed")
