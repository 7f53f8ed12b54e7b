"""Alerts of the demonstration: a few rules, and what they would have said about the invented month, as if they had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import apsw

from bloop import channels
from bloop.alerts.message import to_json
from bloop.alerts.preview import messages, preview
from bloop.alerts.rules import Rule, as_dict, parse_config
from bloop.clock import DAY_MS
from bloop.query.alert_log import deliveries_of
from bloop.query.alert_rules import list_rules
from bloop.storage import alert_log, alerts, deliveries
from bloop.storage.alert_rules import RuleFields, add_channel, create_rule
from bloop.storage.alerts import FiringFields
from bloop.storage.deliveries import Target

DAYS = 7
FIRINGS_MAX = 8  # of a rule
ANSWER_MS = 400  # how long a receiver took
COOLDOWN_MS = 900_000


class DemoRule(NamedTuple):
    """Nobody answers at the addresses of its channels: they are of the kind that is set aside for examples."""

    name: str
    project_slug: str
    rule_type: str
    config: Mapping[str, Any]
    environment: str | None
    channels: tuple[tuple[str, Mapping[str, str]], ...]


SLACK = ("slack", {"webhook_url": "https://hooks.slack.example/services/T0/B0/demo"})
MAIL = ("email", {"to": "oncall@shop.example"})
OUT_OF_ORDER = "pager.example"  # for one message, which somebody dismissed
PAGER = ("webhook", {"url": f"https://{OUT_OF_ORDER}/v2/enqueue"})
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


def store_alerts(db: apsw.Connection, project_ids: Mapping[str, int], origin: str, now_ms: int) -> None:
    """Once: rules that are there already are left alone. Call inside a transaction, when every event is stored."""
    known = {rule.name for rule in list_rules(db, [*project_ids.values()])}
    for wanted in RULES:
        if wanted.name not in known:
            _store(db, wanted, project_ids[wanted.project_slug], origin, now_ms)


def _store(db: apsw.Connection, wanted: DemoRule, project_id: int, origin: str, now_ms: int) -> None:
    config = parse_config(wanted.rule_type, wanted.config)
    fields = RuleFields(wanted.name, wanted.rule_type, as_dict(config), environment_filter=wanted.environment)
    rule_id = create_rule(db, fields, project_id=project_id, created_by=None, now_ms=now_ms - DAYS * DAY_MS)
    targets = [
        Target(add_channel(db, rule_id, kind, given, now_ms - DAYS * DAY_MS), kind, channels.target(kind, given))
        for kind, given in wanted.channels
    ]
    rule = Rule(rule_id, wanted.name, project_id, config, wanted.environment, None, COOLDOWN_MS)
    fired = preview(db, rule, now_ms - DAYS * DAY_MS, now_ms)[-FIRINGS_MAX:]
    for firing, message in zip(fired, messages(db, rule, fired, origin), strict=True):
        made = alerts.add_firing(
            db,
            FiringFields(
                rule_id=rule_id,
                rule_name=rule.name,
                rule_type=wanted.rule_type,
                project_id=project_id,
                key=firing.key,
                fired_at_ms=message.at_ms,
                message=to_json(message),
                issue_id=firing.issue_id,
                signal_id=firing.signal_id,
            ),
        )
        deliveries.add(db, made, rule_id, targets, message.at_ms)
        for row in deliveries_of(db, made):
            if row.target == OUT_OF_ORDER and firing is fired[-1]:
                deliveries.give_up(db, row.id, error=f"{OUT_OF_ORDER} answered 503", status=503)
                alert_log.dismiss(db, row.id)
            else:
                deliveries.sent(db, row.id, status=200, now_ms=message.at_ms + ANSWER_MS)
