"""Alerts of the demonstration: a few rules, and what they would have said about the invented month, as if they had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import apsw

from bloop.alerts import channels
from bloop.alerts.deliveries import actions as alert_log
from bloop.alerts.deliveries import store as deliveries
from bloop.alerts.deliveries.read import deliveries_of
from bloop.alerts.deliveries.store import Target
from bloop.alerts.firing import store as alerts
from bloop.alerts.firing.decide import Firing
from bloop.alerts.firing.preview import messages, preview
from bloop.alerts.firing.store import FiringFields
from bloop.alerts.message import AlertMessage, to_json
from bloop.alerts.rules.model import Rule, as_dict, parse_config
from bloop.alerts.rules.read import list_rules
from bloop.alerts.rules.store import RuleFields, add_channel, create_rule
from bloop.base.clock import DAY_MS

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
OUT_OF_ORDER = "pager.example"  # for one message
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


class Said(NamedTuple):
    """Sorted by time, as the log is."""

    at_ms: int
    rule: Rule
    firing: Firing
    message: AlertMessage
    targets: tuple[Target, ...]


def store_alerts(db: apsw.Connection, project_ids: Mapping[str, int], origin: str, now_ms: int) -> None:
    """Once: rules that are there already are left alone. Call inside a transaction, when every event is stored."""
    known = {rule.name for rule in list_rules(db, [*project_ids.values()])}
    wanted = [rule for rule in RULES if rule.name not in known]
    said = [one for rule in wanted for one in _make(db, rule, project_ids[rule.project_slug], origin, now_ms)]
    said.sort(key=attrgetter("at_ms"))
    failed = next((one for one in reversed(said) if OUT_OF_ORDER in {to.shown for to in one.targets}), None)
    for one in said:
        _store(db, one, out_of_order=OUT_OF_ORDER if one is failed else "")


def _make(db: apsw.Connection, wanted: DemoRule, project_id: int, origin: str, now_ms: int) -> Iterator[Said]:
    """The rule and its channels, stored; what it would have said."""
    since_ms, config = now_ms - DAYS * DAY_MS, parse_config(wanted.rule_type, wanted.config)
    fields = RuleFields(wanted.name, wanted.rule_type, as_dict(config), environment_filter=wanted.environment)
    rule_id = create_rule(db, fields, project_id=project_id, created_by=None, now_ms=since_ms)
    targets = tuple(
        Target(add_channel(db, rule_id, kind, given, since_ms), kind, channels.target(kind, given))
        for kind, given in wanted.channels
    )
    rule = Rule(rule_id, wanted.name, project_id, config, wanted.environment, None, COOLDOWN_MS)
    fired = preview(db, rule, since_ms, now_ms)[-FIRINGS_MAX:]
    for firing, message in zip(fired, messages(db, rule, fired, origin), strict=True):
        yield Said(message.at_ms, rule, firing, message, targets)


def _store(db: apsw.Connection, said: Said, *, out_of_order: str) -> None:
    """As if it had been sent; to the receiver that was out of order it was not, and somebody dismissed it."""
    fields = FiringFields(
        rule_id=said.rule.id,
        rule_name=said.rule.name,
        rule_type=said.rule.type.value,
        project_id=said.firing.project_id,
        key=said.firing.key,
        fired_at_ms=said.at_ms,
        message=to_json(said.message),
        issue_id=said.firing.issue_id,
        signal_id=said.firing.signal_id,
    )
    made = alerts.add_firing(db, fields)
    deliveries.add(db, made, said.rule.id, said.targets, said.at_ms)
    for row in deliveries_of(db, made):
        if row.target == out_of_order:
            deliveries.give_up(db, row.id, error=f"{out_of_order} answered 503", status=503)
            alert_log.dismiss(db, row.id)
        else:
            status = 250 if row.channel_type == "email" else 200
            deliveries.sent(db, row.id, status=status, now_ms=said.at_ms + ANSWER_MS)
