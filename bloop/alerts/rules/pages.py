"""Rows → the list of rules and the page of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bloop.alerts.contexts import AlertPage, AlertsPage, FiringLine, Preview, RuleLine, RuleView, TestResult
from bloop.alerts.deliveries.read import FiringRow
from bloop.alerts.notices import NOTICES
from bloop.alerts.places import ALERTS_PATH, LOG_PATH, rule_path
from bloop.alerts.rules import words
from bloop.alerts.rules.form_pages import FormData, rule_form
from bloop.alerts.rules.read import RuleRow
from bloop.alerts.tabs import alert_tabs
from bloop.site.contexts import Shell
from bloop.site.links import issue_href

FOREIGN = "Only admins and the project's creator can change this rule."
FOREIGN_ALL = "Only admins can change a rule over all projects."


class ListedRule(NamedTuple):
    """A rule with what its line needs: `labels` of its channels, the issue it watches by name."""

    row: RuleRow
    labels: Sequence[str]
    short_id: str
    may_change: bool


def alerts_page(
    shell: Shell,
    rules: Sequence[ListedRule],
    fallbacks: Sequence[tuple[str, str]],
    *,
    failed: int,
    notice: str,
    now_ms: int,
) -> AlertsPage:
    """`fallbacks` are types with their targets."""
    fallback_labels = _fallback_labels(fallbacks)
    return AlertsPage(
        shell=shell,
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        tabs=alert_tabs(failed, current=ALERTS_PATH),
        rules=tuple(
            RuleLine(
                href=rule_path(rule.row.id),
                name=rule.row.name,
                condition=words.describe_condition(rule.row, rule.short_id),
                scope=words.describe_scope(rule.row),
                targets=tuple(rule.labels) or fallback_labels,
                is_default=not rule.labels,
                enabled=rule.row.enabled,
                last_fired_at_ms=rule.row.last_fired_at_ms,
                may_change=rule.may_change,
            )
            for rule in rules
        ),
        fallbacks=fallback_labels,
        failed=failed,
    )


class RulePageData(NamedTuple):
    """The data of a rule's page besides the rule."""

    form: FormData = FormData()
    labels: Sequence[str] = ()  # of its channels
    fallbacks: Sequence[tuple[str, str]] = ()  # type and target
    firings: Sequence[FiringRow] = ()
    test: TestResult | None = None
    people: Mapping[str, str] = {}


def alert_page(
    shell: Shell,
    rule: RuleRow | None,
    data: RulePageData,
    form: Mapping[str, str],
    *,
    may_change: bool,
    preview: Preview | None = None,
    notice: str = "",
    problem: str = "",
    now_ms: int,
) -> AlertPage:
    """`form` holds the submitted values."""
    is_foreign_all = rule is None or rule.project_id is None
    return AlertPage(
        shell=shell,
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=problem,
        form=rule_form(rule, data.form, form),
        may_change=may_change,
        foreign_note="" if may_change else FOREIGN_ALL if is_foreign_all else FOREIGN,
        preview=preview,
        rule=None if rule is None else _view(rule, data),
        fallbacks=_fallback_labels(data.fallbacks),
        can_test=rule is not None and may_change and bool(data.labels or data.fallbacks),
        test=data.test,
        firings=tuple(_firing(row) for row in data.firings),
    )


def _fallback_labels(fallbacks: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(words.channel_label(kind, target) for kind, target in fallbacks)


def _view(rule: RuleRow, data: RulePageData) -> RuleView:
    return RuleView(
        href=rule_path(rule.id),
        log_href=f"{LOG_PATH}?rule_id={rule.id}",
        name=rule.name,
        enabled=rule.enabled,
        created_at_ms=rule.created_at_ms,
        created_by=data.people.get(rule.created_by or "", ""),
        condition=words.describe_condition(rule, data.form.short_id),
        scope=words.describe_scope(rule),
        targets=tuple(data.labels) or _fallback_labels(data.fallbacks),
    )


def _firing(row: FiringRow) -> FiringLine:
    return FiringLine(
        at_ms=row.fired_at_ms,
        text=row.text,
        short_id=row.short_id or "",
        href=issue_href(row.short_id) if row.short_id else "",
        is_test=row.is_test,
        outcome=_outcome(row),
    )


def _outcome(row: FiringRow) -> str:
    """`2 sent, 1 failed` …"""
    if row.is_test and row.dismissed:
        return "partly delivered" if row.sent else "not delivered"
    counts = {"sent": row.sent, "waiting": row.waiting, "failed": row.failed, "dismissed": row.dismissed}
    summary = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return summary or ("waits for the next digest" if row.is_held else "no channel")
