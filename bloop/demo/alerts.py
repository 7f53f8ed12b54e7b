"""Alerts of the demonstration: a few rules, and the alerts they would have sent about the invented month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from bloop.alerts import channels
from bloop.alerts.deliveries import actions as alert_log
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.read import deliveries_of
from bloop.alerts.deliveries.store import DeliveryTarget
from bloop.alerts.firing import store as alerts
from bloop.alerts.firing.decide import Firing
from bloop.alerts.firing.preview import messages, preview
from bloop.alerts.firing.store import FiringFields
from bloop.alerts.message import AlertMessage, to_json
from bloop.alerts.rules.model import Rule, as_dict, parse_config
from bloop.alerts.rules.read import list_rules
from bloop.alerts.rules.store import RuleFields, create_rule
from bloop.alerts.saved_channels.read import list_saved_channels
from bloop.alerts.saved_channels.store import attach_channel, create_channel
from bloop.base.clock import DAY_MS
from bloop.db.engine import Db

DAYS = 7
FIRINGS_MAX = 8  # per rule
ANSWER_MS = 400  # of a receiver
COOLDOWN_MS = 900_000


class DemoRule(NamedTuple):
    """The addresses of its channels are reserved for examples: no receiver answers there."""

    name: str
    project_slug: str
    rule_type: str
    config: Mapping[str, Any]
    environment: str | None
    channels: tuple[DemoChannel, ...]


class DemoChannel(NamedTuple):
    name: str
    type: str
    config: Mapping[str, str]


SLACK = DemoChannel("Team Slack", "slack", {"webhook_url": "https://hooks.slack.example/services/T0/B0/demo"})
MAIL = DemoChannel("On-call mail", "email", {"to": "oncall@shop.example"})
OUT_OF_ORDER = "pager.example"  # for one message
PAGER = DemoChannel("Pager", "webhook", {"url": f"https://{OUT_OF_ORDER}/v2/enqueue"})
RULES = (
    DemoRule("New in the web shop", "web-shop", "new_issue", {}, "production", (SLACK,)),
    DemoRule(
        "Payments are failing",
        "checkout-api",
        "spike",
        {"multiplier": 4, "compare_window_secs": 600, "baseline_window_secs": 3600},
        "production",
        (SLACK, PAGER),
    ),
    DemoRule("Back in the web shop", "web-shop", "regression", {}, None, (MAIL,)),
)


class DemoAlert(NamedTuple):
    """One alert as the delivery log shows it."""

    at_ms: int
    rule: Rule
    firing: Firing
    message: AlertMessage
    targets: tuple[DeliveryTarget, ...]


def store_alerts(db: Db, project_ids: Mapping[str, int], origin: str, now_ms: int) -> None:
    """Store the missing rules with their alerts. Call inside a transaction, after all events are stored."""
    existing = {rule.name for rule in list_rules(db, [*project_ids.values()])}
    missing = [rule for rule in RULES if rule.name not in existing]
    alerts_sent = [
        alert for rule in missing for alert in _create(db, rule, project_ids[rule.project_slug], origin, now_ms)
    ]
    alerts_sent.sort(key=attrgetter("at_ms"))
    failed = next((a for a in reversed(alerts_sent) if OUT_OF_ORDER in {to.shown for to in a.targets}), None)
    for alert in alerts_sent:
        _store(db, alert, out_of_order=OUT_OF_ORDER if alert is failed else "")


def _create(db: Db, wanted: DemoRule, project_id: int, origin: str, now_ms: int) -> Iterator[DemoAlert]:
    """Store the rule and its channels; yield the alerts it would have sent."""
    since_ms, config = now_ms - DAYS * DAY_MS, parse_config(wanted.rule_type, wanted.config)
    fields = RuleFields(wanted.name, wanted.rule_type, as_dict(config), environment_filter=wanted.environment)
    rule_id = create_rule(db, fields, project_id=project_id, created_by=None, now_ms=since_ms)
    targets = tuple(_attach(db, rule_id, project_id, channel, since_ms) for channel in wanted.channels)
    rule = Rule(rule_id, wanted.name, project_id, config, wanted.environment, None, COOLDOWN_MS)
    fired = preview(db, rule, since_ms, now_ms)[-FIRINGS_MAX:]
    for firing, message in zip(fired, messages(db, rule, fired, origin), strict=True):
        yield DemoAlert(message.at_ms, rule, firing, message, targets)


def _attach(db: Db, rule_id: int, project_id: int, wanted: DemoChannel, now_ms: int) -> DeliveryTarget:
    """The channel, made for all projects unless it is there, as a receiver of the rule's alerts."""
    saved = {row.name: row.id for row in list_saved_channels(db) if row.project_id is None}
    channel_id = saved.get(wanted.name) or create_channel(
        db, wanted.type, wanted.config, project_id=None, name=wanted.name, now_ms=now_ms
    )
    attach_channel(db, rule_id, project_id, channel_id, now_ms)
    return DeliveryTarget(channel_id, wanted.type, channels.target(wanted.type, wanted.config))


def _store(db: Db, alert: DemoAlert, *, out_of_order: str) -> None:
    """Store the alert as sent, except to the receiver `out_of_order`: that delivery failed and was dismissed."""
    fields = FiringFields(
        rule_id=alert.rule.id,
        rule_name=alert.rule.name,
        rule_type=alert.rule.type.value,
        project_id=alert.firing.project_id,
        key=alert.firing.key,
        fired_at_ms=alert.at_ms,
        message=to_json(alert.message),
        issue_id=alert.firing.issue_id,
        signal_id=alert.firing.signal_id,
    )
    firing_id = alerts.add_firing(db, fields)
    deliveries.add(db, firing_id, alert.rule.id, alert.targets, alert.at_ms)
    for row in deliveries_of(db, firing_id):
        if row.target == out_of_order:
            deliveries.mark_failed(
                db, row.id, error=f"{out_of_order} answered 503", status=503, now_ms=alert.at_ms + ANSWER_MS
            )
            alert_log.dismiss(db, row.id)
        else:
            status = 250 if row.channel_type == "email" else 200
            deliveries.mark_sent(db, row.id, status=status, now_ms=alert.at_ms + ANSWER_MS)
