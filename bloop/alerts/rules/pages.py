"""Rows → the pages about alert rules. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bloop.alerts.contexts import (
    AlertPage,
    AlertsPage,
    ChannelField,
    ChannelForm,
    ChannelLine,
    FiringLine,
    Preview,
    RuleForm,
    RuleLine,
    RuleView,
    TestLine,
    TestResult,
)
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState, FiringRow
from bloop.alerts.rules import words as alert_words
from bloop.alerts.rules.read import RuleRow
from bloop.projects.read import ProjectRow
from bloop.site.contexts import Option, Shell, TabLink
from bloop.site.links import issue_href
from bloop.site.settings_nav import ALERTS, settings_nav

NEW_HREF = f"{ALERTS.href}/new"
LOG_HREF = f"{ALERTS.href}/deliveries"
FACT_CHARS_MAX = 80
PAIRS = "pairs"  # kind of a field: a textarea of “Name: value” lines
NOTICES = {
    "made": "Rule is on. Add a channel below.",
    "saved": "Saved. Applies from now on.",
    "on": "Rule turned on.",
    "off": "Rule turned off. It will not alert about events that come while it is off.",
    "deleted": "Rule deleted. Its alerts stay in the delivery log.",
    "channel-added": "Channel added. Send a test to check it.",
    "channel-removed": "Channel removed. Its waiting messages were dismissed.",
    "retried": "Retrying.",
    "dismissed": "Dismissed.",
}


class ChannelSummary(NamedTuple):
    """A channel for display: `facts` are its settings without secrets."""

    id: int
    type: str
    target: str
    facts: Mapping[str, object]
    added_at_ms: int


class FieldSpec(NamedTuple):
    """A field of a channel's form."""

    name: str
    label: str
    kind: str = "text"
    placeholder: str = ""
    required: bool = True


class ChannelGuide(NamedTuple):
    """Help and form fields for a channel type."""

    help: str
    fields: tuple[FieldSpec, ...]


_FOREIGN = "Only admins and the project's creator can change this rule."
_FOREIGN_ALL = "Only admins can change a rule over all projects."
_SECRET = ("password", "url", PAIRS)  # never sent back to the form
GUIDES = {
    "slack": ChannelGuide(
        "In Slack, create an app with Incoming Webhooks, add a webhook for the channel and copy its URL.",
        (FieldSpec("webhook_url", "Webhook URL", "url", "https://hooks.slack.com/services/…"),),
    ),
    "email": ChannelGuide(
        "Sent through the server in the [smtp] section of the configuration.",
        (FieldSpec("to", "Email address", "email", "oncall@example.com"),),
    ),
    "webhook": ChannelGuide(
        "A JSON POST to your URL. With a secret it is signed, so that the receiver can verify the sender.",
        (
            FieldSpec("url", "URL", "url", "https://example.com/hooks/bloop"),
            FieldSpec("signing_secret", "Secret for the signature, 16 characters or more", "password", required=False),
            FieldSpec(
                "headers", "Headers, one “Name: value” per line", PAIRS, "Authorization: Bearer …", required=False
            ),
            FieldSpec("template", "Body template, instead of bloop's JSON", "area", required=False),
            FieldSpec("content_type", "Content type of the body", placeholder="application/json", required=False),
        ),
    ),
    "discord": ChannelGuide(
        "In Discord, open the channel's settings, Integrations, Webhooks. Create a webhook and copy its URL.",
        (FieldSpec("webhook_url", "Webhook URL", "url", "https://discord.com/api/webhooks/…"),),
    ),
    "telegram": ChannelGuide(
        "Create a bot with @BotFather, add it to the chat and look up the chat ID.",
        (
            FieldSpec("bot_token", "Bot token", "password", "123456:ABC…"),
            FieldSpec("chat_id", "Chat ID", placeholder="-1001234567890"),
        ),
    ),
    "teams": ChannelGuide(
        "In Teams, add the workflow “Post to a channel when a webhook request is received” and copy its URL.",
        (FieldSpec("webhook_url", "Webhook URL", "url", "https://….logic.azure.com/workflows/…"),),
    ),
}


def alerts_page(
    shell: Shell,
    rules: Sequence[tuple[RuleRow, bool]],
    channels: Mapping[int, Sequence[ChannelSummary]],
    fallbacks: Sequence[tuple[str, str]],
    *,
    is_admin: bool,
    failed: int,
    notice: str,
    now_ms: int,
) -> AlertsPage:
    """`rules` come with whether the user may change them, `fallbacks` are types with their targets."""
    fallback_labels = _fallback_labels(fallbacks)
    return AlertsPage(
        shell=shell,
        nav=settings_nav(ALERTS, is_admin=is_admin),
        tabs=tabs(failed, current=ALERTS.href),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        rules=tuple(
            RuleLine(
                href=href_of(rule.id),
                name=rule.name,
                condition=alert_words.describe_condition(rule),
                scope=alert_words.describe_scope(rule),
                targets=_channel_labels(channels.get(rule.id, ())) or fallback_labels,
                enabled=rule.enabled,
                last_fired_at_ms=rule.last_fired_at_ms,
                may_change=may_change,
            )
            for rule, may_change in rules
        ),
        fallbacks=fallback_labels,
        failed=failed,
    )


class RulePageData(NamedTuple):
    """The data of a rule's page besides the rule."""

    projects: Sequence[ProjectRow] = ()  # that the user may create rules for
    is_admin: bool = False
    environments: Sequence[str] = ()
    sources: Sequence[str] = ()
    cooldown_default_s: int = 0
    channels: Sequence[ChannelSummary] = ()
    fallbacks: Sequence[tuple[str, str]] = ()  # type and target
    firings: Sequence[FiringRow] = ()
    test: Sequence[DeliveryRow] = ()
    people: Mapping[str, str] = {}


def alert_page(
    shell: Shell,
    rule: RuleRow | None,
    data: RulePageData,
    form: Mapping[str, str],
    *,
    may_change: bool,
    preview: Preview | None = None,
    channel_type: str = "",
    channel_problem: str = "",
    notice: str = "",
    problem: str = "",
    now_ms: int,
) -> AlertPage:
    """`form` holds the submitted values; with a `channel_problem`, those of the form of `channel_type`."""
    values = alert_words.form_values(rule) if rule and (channel_type or not form) else form
    return AlertPage(
        shell=shell,
        nav=settings_nav(ALERTS, is_admin=data.is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=problem,
        form=_form(values, rule, data),
        may_change=may_change,
        foreign_note="" if may_change else _FOREIGN_ALL if rule is None or rule.project_id is None else _FOREIGN,
        preview=preview,
        rule=None if rule is None else _view(rule, data.people),
        targets=_channel_labels(data.channels),
        fallbacks=_fallback_labels(data.fallbacks),
        channels=() if rule is None else tuple(_channel(rule.id, channel) for channel in data.channels),
        channel_forms=tuple(_channel_form(kind, channel_type, form, channel_problem) for kind in GUIDES),
        can_test=may_change and bool(data.channels or data.fallbacks),
        test=None if rule is None or not data.test else _test(rule.id, data.test),
        firings=tuple(_firing(row) for row in data.firings),
    )


def tabs(failed: int, *, current: str) -> tuple[TabLink, ...]:
    return (
        TabLink("Rules", ALERTS.href, None, current == ALERTS.href),
        TabLink("Delivery log", LOG_HREF, failed or None, current == LOG_HREF),
    )


def href_of(rule_id: int) -> str:
    return f"{ALERTS.href}/{rule_id}"


def _channel_labels(channels: Sequence[ChannelSummary]) -> tuple[str, ...]:
    return tuple(alert_words.channel_label(channel.type, channel.target) for channel in channels)


def _fallback_labels(fallbacks: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(alert_words.channel_label(kind, target) for kind, target in fallbacks)


def _view(rule: RuleRow, people: Mapping[str, str]) -> RuleView:
    return RuleView(
        href=href_of(rule.id),
        log_href=f"{LOG_HREF}?rule_id={rule.id}",
        enabled=rule.enabled,
        created_at_ms=rule.created_at_ms,
        created_by=people.get(rule.created_by or "", ""),
    )


def _form(values: Mapping[str, str], rule: RuleRow | None, data: RulePageData) -> RuleForm:
    chosen = alert_words.form_value(values, "type")
    project = values.get("project", "")
    all_projects = [Option("", alert_words.ALL_PROJECTS, project == "")] if data.is_admin else []
    return RuleForm(
        href=ALERTS.href if rule is None else href_of(rule.id),
        name=values.get("name", ""),
        description=values.get("description", ""),
        types=tuple(Option(name, label, name == chosen) for name, label in alert_words.TYPES.items()),
        threshold=alert_words.form_value(values, "threshold"),
        window_minutes=alert_words.form_value(values, "window_minutes"),
        multiplier=alert_words.form_value(values, "multiplier"),
        compare_minutes=alert_words.form_value(values, "compare_minutes"),
        baseline_minutes=alert_words.form_value(values, "baseline_minutes"),
        min_count=alert_words.form_value(values, "min_count"),
        fingerprint=values.get("fingerprint", ""),
        route=values.get("route", ""),
        projects=(*all_projects, *(Option(p.slug, p.name, p.slug == project) for p in data.projects)),
        project_name="" if rule is None else rule.project_name or alert_words.ALL_PROJECTS,
        environment=values.get("environment", ""),
        environments=tuple(data.environments),
        source=values.get("source", ""),
        sources=tuple(data.sources),
        cooldown_minutes=values.get("cooldown_minutes", ""),
        cooldown_default=alert_words.format_minutes(data.cooldown_default_s),
    )


def _channel(rule_id: int, channel: ChannelSummary) -> ChannelLine:
    return ChannelLine(
        href=f"{href_of(rule_id)}/channels/{channel.id}",
        label=alert_words.channel_name(channel.type),
        target=channel.target,
        facts=tuple(_fact(name, value) for name, value in channel.facts.items() if value),
        added_at_ms=channel.added_at_ms,
    )


def _fact(name: str, value: object) -> tuple[str, str]:
    """Name and short value; of mappings such as headers only the names."""
    text = ", ".join(map(str, value)) if isinstance(value, Mapping) else " ".join(str(value).split())
    return name.replace("_", " "), text if len(text) <= FACT_CHARS_MAX else f"{text[:FACT_CHARS_MAX]}…"


def _channel_form(kind: str, submitted_kind: str, form: Mapping[str, str], problem: str) -> ChannelForm:
    """The form of the submitted kind keeps its input, without secrets."""
    is_this = kind == submitted_kind
    return ChannelForm(
        type=kind,
        label=alert_words.channel_name(kind),
        help=GUIDES[kind].help,
        fields=tuple(
            ChannelField(
                id=f"{kind}-{spec.name}",
                name=spec.name,
                label=spec.label,
                kind=spec.kind,
                value=form.get(spec.name, "") if is_this and spec.kind not in _SECRET else "",
                placeholder=spec.placeholder,
                required=spec.required,
            )
            for spec in GUIDES[kind].fields
        ),
        problem=problem if is_this else "",
        is_open=is_this,
    )


def _test(rule_id: int, rows: Sequence[DeliveryRow]) -> TestResult:
    return TestResult(
        at_ms=rows[0].created_at_ms,
        lines=tuple(
            TestLine(
                label=alert_words.channel_label(row.channel_type, row.target),
                is_sent=row.state is DeliveryState.SENT,
                answer=alert_words.describe_answer(row.last_error, row.last_status),
            )
            for row in rows
        ),
        is_waiting=any(not row.attempts for row in rows),
        href=f"{href_of(rule_id)}?test={rows[0].firing_id}#test",
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
