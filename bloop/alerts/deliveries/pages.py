"""Rows → the log of deliveries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from bloop.alerts.contexts import DeliveriesPage, DeliveryLine
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState
from bloop.alerts.rules import pages as alerts
from bloop.alerts.rules import words as alert_words
from bloop.site.contexts import Shell, TabLink
from bloop.site.links import issue_href
from bloop.site.settings_nav import ALERTS, settings_nav


def deliveries_page(
    shell: Shell,
    rows: Sequence[tuple[DeliveryRow, bool]],
    counts: dict[DeliveryState, int],
    *,
    state: DeliveryState | None,
    rule_id: int | None,
    rule_name: str,
    older_than: int | None,
    is_admin: bool,
    notice: str,
    now_ms: int,
) -> DeliveriesPage:
    """`rows` come with whether the user may change them. `counts` are of the states that need attention."""
    failed = counts.get(DeliveryState.FAILED, 0)
    return DeliveriesPage(
        shell=shell,
        nav=settings_nav(ALERTS, is_admin=is_admin),
        tabs=alerts.tabs(failed, current=alerts.LOG_HREF),
        now_ms=now_ms,
        notice=alerts.NOTICES.get(notice, ""),
        states=(
            TabLink("All", href(None, rule_id), None, state is None),
            *(TabLink(s.capitalize(), href(s, rule_id), counts.get(s) or None, s is state) for s in DeliveryState),
        ),
        rule_name=rule_name,
        all_href=href(state, None),
        deliveries=tuple(_line(row, may_change, now_ms) for row, may_change in rows),
        older_href="" if older_than is None else href(state, rule_id, older_than),
        dismissable=failed,
        is_filtered=state is not None or rule_id is not None,
    )


def href(state: DeliveryState | None, rule_id: int | None, before_id: int | None = None) -> str:
    query = {"state": state and state.value, "rule_id": rule_id, "before": before_id}
    query_string = urlencode({name: value for name, value in query.items() if value is not None})
    return f"{alerts.LOG_HREF}?{query_string}" if query_string else alerts.LOG_HREF


def _line(row: DeliveryRow, may_change: bool, now_ms: int) -> DeliveryLine:
    is_open = row.state is not DeliveryState.SENT
    return DeliveryLine(
        href=f"{alerts.LOG_HREF}/{row.id}",
        state=row.state.value,
        label=alert_words.channel_label(row.channel_type, row.target),
        text=row.text,
        rule_name=row.rule_name,
        rule_href=alerts.href_of(row.rule_id) if row.rule_exists and row.rule_id else "",
        short_id=row.short_id or "",
        issue_href=issue_href(row.short_id) if row.short_id else "",
        is_test=row.is_test,
        attempts=row.attempts,
        answer="" if row.state is DeliveryState.SENT else alert_words.describe_answer(row.last_error, row.last_status),
        status=row.last_status if row.state is DeliveryState.SENT else None,
        created_at_ms=row.created_at_ms,
        sent_at_ms=row.sent_at_ms,
        next_try_at_ms=max(row.next_try_at_ms, now_ms) if row.state is DeliveryState.WAITING else None,
        may_retry=may_change and is_open and row.can_be_sent and not row.is_test,
        may_dismiss=may_change and row.state in (DeliveryState.WAITING, DeliveryState.FAILED),
    )
