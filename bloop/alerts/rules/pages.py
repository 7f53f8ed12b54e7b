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
PAIRS = "pairs"  # kind of a field: a textarea of lines, each a name and a value
NOTICES = {
    "made": "The rule is on. Say below who is to be told.",
    "saved": "Saved. It counts from now on.",
    "on": "The rule is on again.",
    "off": "The rule is off. What happens meanwhile is not announced later.",
    "deleted": "The rule is gone. What it said is kept in the delivery log.",
    "channel-added": "Added. Send a test to see whether it arrives.",
    "channel-removed": "Removed. What waited to be sent there was dismissed.",
    "retried": "It is being sent again.",
    "dismissed": "Dismissed.",
}


class ChannelSummary(NamedTuple):
    """A channel as it may be seen: `facts` are what its settings show without their secrets."""

    id: int
    type: str
    target: str
    facts: Mapping[str, object]
    added_at_ms: int


class Spec(NamedTuple):
    """A field of a channel's form."""

    name: str
    label: str
    kind: str = "text"
    placeholder: str = ""
    required: bool = True


class Guide(NamedTuple):
    """How somebody gets what a channel of a type needs."""

    help: str
    fields: tuple[Spec, ...]


_FOREIGN = "Only admins and whoever created the project can change this rule."
_FOREIGN_ALL = "Only admins can change a rule over all projects."
_SECRET = ("password", "url", PAIRS)  # not typed back
GUIDES = {
    "slack": Guide(
        "In Slack make an app with Incoming Webhooks, add one for the channel and copy its URL.",
        (Spec("webhook_url", "Webhook URL", "url", "https://hooks.slack.com/services/…"),),
    ),
    "email": Guide(
        "Goes out by the server that the [smtp] section of the settings names.",
        (Spec("to", "Address", "email", "oncall@example.com"),),
    ),
    "webhook": Guide(
        "A POST of JSON to an address of yours. With a secret it is signed, so that the receiver can tell it is bloop.",
        (
            Spec("url", "URL", "url", "https://example.com/hooks/bloop"),
            Spec("signing_secret", "Secret for the signature, 16 characters or more", "password", required=False),
            Spec("headers", "More headers, one “Name: value” a line", PAIRS, "Authorization: Bearer …", required=False),
            Spec("template", "Template of the body, instead of bloop's own JSON", "area", required=False),
            Spec("content_type", "Content type of the template", placeholder="application/json", required=False),
        ),
    ),
    "discord": Guide(
        "In Discord open the channel's settings, Integrations, Webhooks: make one and copy its URL.",
        (Spec("webhook_url", "Webhook URL", "url", "https://discord.com/api/webhooks/…"),),
    ),
    "telegram": Guide(
        "Make a bot with @BotFather, add it to the chat, and look up the id of the chat.",
        (
            Spec("bot_token", "Token of the bot", "password", "123456:ABC…"),
            Spec("chat_id", "Chat id", placeholder="-1001234567890"),
        ),
    ),
    "teams": Guide(
        "In Teams add the workflow “Post to a channel when a webhook request is received” and copy its URL.",
        (Spec("webhook_url", "Webhook URL", "url", "https://….logic.azure.com/workflows/…"),),
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
    """`rules` come with whether one may change them, `fallbacks` are types with their targets."""
    everywhere = _fallbacks(fallbacks)
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
                when=alert_words.when(rule),
                where=alert_words.where(rule),
                told=_told(channels.get(rule.id, ())) or everywhere,
                enabled=rule.enabled,
                last_fired_at_ms=rule.last_fired_at_ms,
                may_change=may_change,
            )
            for rule, may_change in rules
        ),
        fallbacks=everywhere,
        failed=failed,
    )


class Around(NamedTuple):
    """What a rule's page shows beside the rule."""

    projects: Sequence[ProjectRow] = ()  # one may make rules for
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
    around: Around,
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
    """`form` is what stands in the blanks; with a `channel_problem` it is that of the channel of `channel_type`."""
    values = alert_words.typed(rule) if rule and (channel_type or not form) else form
    return AlertPage(
        shell=shell,
        nav=settings_nav(ALERTS, is_admin=around.is_admin),
        now_ms=now_ms,
        notice=NOTICES.get(notice, ""),
        problem=problem,
        form=_form(values, rule, around),
        may_change=may_change,
        foreign_note="" if may_change else _FOREIGN_ALL if rule is None or rule.project_id is None else _FOREIGN,
        preview=preview,
        rule=None if rule is None else _view(rule, around.people),
        told=_told(around.channels),
        fallbacks=_fallbacks(around.fallbacks),
        channels=() if rule is None else tuple(_channel(rule.id, told) for told in around.channels),
        channel_forms=tuple(_channel_form(kind, channel_type, form, channel_problem) for kind in GUIDES),
        can_test=may_change and bool(around.channels or around.fallbacks),
        test=None if rule is None or not around.test else _test(rule.id, around.test),
        firings=tuple(_firing(row) for row in around.firings),
    )


def tabs(failed: int, *, current: str) -> tuple[TabLink, ...]:
    return (
        TabLink("Rules", ALERTS.href, None, current == ALERTS.href),
        TabLink("Delivery log", LOG_HREF, failed or None, current == LOG_HREF),
    )


def href_of(rule_id: int) -> str:
    return f"{ALERTS.href}/{rule_id}"


def _told(channels: Sequence[ChannelSummary]) -> tuple[str, ...]:
    return tuple(alert_words.told(channel.type, channel.target) for channel in channels)


def _fallbacks(fallbacks: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(alert_words.told(kind, target) for kind, target in fallbacks)


def _view(rule: RuleRow, people: Mapping[str, str]) -> RuleView:
    return RuleView(
        href=href_of(rule.id),
        log_href=f"{LOG_HREF}?rule_id={rule.id}",
        enabled=rule.enabled,
        created_at_ms=rule.created_at_ms,
        created_by=people.get(rule.created_by or "", ""),
    )


def _form(values: Mapping[str, str], rule: RuleRow | None, around: Around) -> RuleForm:
    chosen = alert_words.blank(values, "type")
    project = values.get("project", "")
    everywhere = [Option("", alert_words.ALL_PROJECTS, project == "")] if around.is_admin else []
    return RuleForm(
        href=ALERTS.href if rule is None else href_of(rule.id),
        name=values.get("name", ""),
        description=values.get("description", ""),
        types=tuple(Option(name, words, name == chosen) for name, words in alert_words.TYPES.items()),
        threshold=alert_words.blank(values, "threshold"),
        window_minutes=alert_words.blank(values, "window_minutes"),
        multiplier=alert_words.blank(values, "multiplier"),
        compare_minutes=alert_words.blank(values, "compare_minutes"),
        baseline_minutes=alert_words.blank(values, "baseline_minutes"),
        min_count=alert_words.blank(values, "min_count"),
        fingerprint=values.get("fingerprint", ""),
        route=values.get("route", ""),
        projects=(*everywhere, *(Option(p.slug, p.name, p.slug == project) for p in around.projects)),
        project_name="" if rule is None else rule.project_name or alert_words.ALL_PROJECTS,
        environment=values.get("environment", ""),
        environments=tuple(around.environments),
        source=values.get("source", ""),
        sources=tuple(around.sources),
        cooldown_minutes=values.get("cooldown_minutes", ""),
        cooldown_default=alert_words.minutes(around.cooldown_default_s),
    )


def _channel(rule_id: int, told: ChannelSummary) -> ChannelLine:
    return ChannelLine(
        href=f"{href_of(rule_id)}/channels/{told.id}",
        label=alert_words.channel(told.type),
        target=told.target,
        facts=tuple(_fact(name, value) for name, value in told.facts.items() if value),
        added_at_ms=told.added_at_ms,
    )


def _fact(name: str, value: object) -> tuple[str, str]:
    """Of headers and the like their names, of what is long the beginning."""
    text = ", ".join(map(str, value)) if isinstance(value, Mapping) else " ".join(str(value).split())
    return name.replace("_", " "), text if len(text) <= FACT_CHARS_MAX else f"{text[:FACT_CHARS_MAX]}…"


def _channel_form(kind: str, asked: str, form: Mapping[str, str], problem: str) -> ChannelForm:
    """What was typed stands in the form again, secrets left out."""
    is_this = kind == asked
    return ChannelForm(
        type=kind,
        label=alert_words.channel(kind),
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
                label=alert_words.told(row.channel_type, row.target),
                is_sent=row.state is DeliveryState.SENT,
                answer=alert_words.answer(row.last_error, row.last_status),
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
        return "did not arrive everywhere" if row.sent else "did not arrive"
    counts = {"sent": row.sent, "waiting": row.waiting, "failed": row.failed, "dismissed": row.dismissed}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return said or ("goes out with the next digest" if row.is_held else "nobody was told")
