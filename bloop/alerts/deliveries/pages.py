"""Rows → the log of deliveries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from bloop.alerts.deliveries.contexts import DeliveriesPage, DeliveryLine
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState
from bloop.alerts.notices import NOTICES
from bloop.alerts.places import LOG_PATH, rule_path
from bloop.alerts.rules import words
from bloop.alerts.tabs import alert_tabs
from bloop.alerts.test_results import took
from bloop.site.contexts import Shell, TabLink
from bloop.site.links import issue_href


def deliveries_page(
    shell: Shell,
    rows: Sequence[tuple[DeliveryRow, bool]],
    counts: dict[DeliveryState, int],
    *,
    state: DeliveryState | None,
    rule_id: int | None,
    rule_name: str,
    older_than: int | None,
    is_later_page: bool,
    notice: str,
    now_ms: int,
) -> DeliveriesPage:
    """`rows` come with whether the user may change them. `counts` are of the states that need attention."""
    failed = counts.get(DeliveryState.FAILED, 0)
    return DeliveriesPage(
        shell=shell,
        tabs=alert_tabs(failed, current=LOG_PATH),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        states=(
            TabLink("All", href(None, rule_id), None, state is None),
            *(TabLink(s.capitalize(), href(s, rule_id), counts.get(s) or None, s is state) for s in DeliveryState),
        ),
        rule_name=rule_name,
        all_href=href(state, None),
        deliveries=tuple(_line(row, may_change, now_ms) for row, may_change in rows),
        newer_href=href(state, rule_id) if is_later_page else "",
        older_href="" if older_than is None else href(state, rule_id, older_than),
        dismissable=failed,
        is_filtered=state is not None or rule_id is not None,
    )


def href(state: DeliveryState | None, rule_id: int | None, before_id: int | None = None) -> str:
    query = {"state": state and state.value, "rule_id": rule_id, "before": before_id}
    query_string = urlencode({name: value for name, value in query.items() if value is not None})
    return f"{LOG_PATH}?{query_string}" if query_string else LOG_PATH


def _line(row: DeliveryRow, may_change: bool, now_ms: int) -> DeliveryLine:
    is_open = row.state is not DeliveryState.SENT
    return DeliveryLine(
        href=f"{LOG_PATH}/{row.id}",
        state=row.state.value,
        label=words.channel_label(row.channel_type, row.target),
        text=row.text,
        rule_name=row.rule_name,
        rule_href=rule_path(row.rule_id) if row.rule_exists and row.rule_id else "",
        short_id=row.short_id or "",
        issue_href=issue_href(row.short_id) if row.short_id else "",
        is_test=row.is_test,
        attempts=row.attempts,
        answer="" if row.state is DeliveryState.SENT else words.describe_answer(row.last_error, row.last_status),
        status=row.last_status if row.state is DeliveryState.SENT else None,
        took="" if row.last_duration_ms is None else took(row.last_duration_ms),
        created_at_ms=row.created_at_ms,
        sent_at_ms=row.sent_at_ms,
        next_try_at_ms=max(row.next_try_at_ms, now_ms) if row.state is DeliveryState.WAITING else None,
        may_retry=may_change and is_open and row.can_be_sent and not row.is_test,
        may_dismiss=may_change and row.state in (DeliveryState.WAITING, DeliveryState.FAILED),
    )
