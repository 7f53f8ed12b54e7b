"""Context of the delivery log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bloop.alerts.contexts import AlertArea
from bloop.site.contexts import TabLink


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """A message to one receiver. `answer` is the receiver's, or why there is none; once sent, only `status`."""

    href: str
    state: str
    label: str
    text: str
    rule_name: str
    rule_href: str
    short_id: str
    issue_href: str
    is_test: bool
    attempts: int
    answer: str
    status: int | None
    took: str
    created_at_ms: int
    sent_at_ms: int | None
    next_try_at_ms: int | None
    may_retry: bool
    may_dismiss: bool


@dataclass(frozen=True, slots=True)
class DeliveriesPage(AlertArea):
    """`/alerts/deliveries`, all or of one state or rule. `older_href` is empty on the last page."""

    template: ClassVar[str] = "alerts/deliveries.html"

    tabs: tuple[TabLink, ...]
    states: tuple[TabLink, ...]
    rule_name: str
    all_href: str
    deliveries: tuple[DeliveryLine, ...]
    newer_href: str
    older_href: str
    dismissable: int
    is_filtered: bool
