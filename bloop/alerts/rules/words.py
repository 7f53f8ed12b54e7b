"""Rules, channels and outcomes in words: as a sentence of the list, as blanks of a form. Pure.

W1  A form shows what a rule says and what somebody typed alike: both are a mapping of field names to text.
W2  Minutes are typed, seconds are stored. Windows are whole minutes, a cooldown may have a fraction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts.rules.read import RuleRow
from bloop.base.durations import span

TYPES = {
    "new_issue": "a new issue appears",
    "regression": "an issue comes back",
    "threshold": "there are many events",
    "spike": "events rise",
}
CHANNELS = {
    "slack": "Slack",
    "email": "Email",
    "webhook": "Webhook",
    "discord": "Discord",
    "telegram": "Telegram",
    "teams": "Microsoft Teams",
}
ALL_PROJECTS = "all projects"
# What the form proposes: field → text. Config keys in seconds have fields in minutes.
DEFAULTS = {
    "type": "new_issue",
    "threshold": "100",
    "window_minutes": "5",
    "multiplier": "3",
    "compare_minutes": "10",
    "baseline_minutes": "60",
    "min_count": "10",
}
MINUTES = {
    "window_minutes": "window_secs",
    "compare_minutes": "compare_window_secs",
    "baseline_minutes": "baseline_window_secs",
}
NUMBERS = ("threshold", "multiplier", "min_count")
TEXTS = ("fingerprint", "route")


def when(rule: RuleRow) -> str:
    """`more than 100 events come in 5 min` …"""
    config = rule.config
    if rule.rule_type == "threshold":
        what = f"more than {config['threshold']:,} events come in {span(config['window_secs'])}"
        return what + "".join(f" of {name} {config[name]}" for name in TEXTS if config.get(name))
    if rule.rule_type == "spike":
        compared, before = span(config["compare_window_secs"]), span(config["baseline_window_secs"])
        return f"events rise {config['multiplier']:g}-fold ({compared} against the {before} before)"
    return TYPES.get(rule.rule_type, rule.rule_type)


def where(rule: RuleRow) -> str:
    """The project and what else narrows it down."""
    environment = rule.environment_filter or rule.config.get("environment")
    source = rule.source_filter or rule.config.get("source")
    parts = [rule.project_name or ALL_PROJECTS]
    parts += [f"environment {environment}"] if environment else []
    parts += [f"source {source}"] if source else []
    return ", ".join(parts)


def told(channel_type: str, target: str) -> str:
    """`Slack hooks.slack.com`"""
    return f"{channel(channel_type)} {target}".strip()


def channel(channel_type: str) -> str:
    return CHANNELS.get(channel_type, channel_type)


def answer(last_error: str | None, last_status: int | None) -> str:
    """What came back, if anything did."""
    said = (last_error or "").strip()
    if last_status is not None and str(last_status) not in said:
        return f"{last_status}: {said}" if said else str(last_status)
    return said


def typed(rule: RuleRow) -> dict[str, str]:
    """A rule as its form (W1)."""
    config: dict[str, Any] = rule.config
    shown = {field: str(-(-config[key] // 60)) for field, key in MINUTES.items() if config.get(key) is not None}
    shown |= {name: f"{config[name]:.15g}" for name in NUMBERS if config.get(name) is not None}
    shown |= {name: config[name] for name in TEXTS if config.get(name)}
    return shown | {
        "type": rule.rule_type,
        "name": rule.name,
        "description": rule.description or "",
        "project": rule.project_slug or "",
        "environment": rule.environment_filter or config.get("environment") or "",
        "source": rule.source_filter or config.get("source") or "",
        "cooldown_minutes": "" if rule.cooldown_secs is None else minutes(rule.cooldown_secs),
    }


def minutes(seconds: float) -> str:
    """Of a cooldown."""
    return f"{seconds / 60:.6g}"


def blank(form: Mapping[str, str], field: str) -> str:
    """What stands in a blank: as typed, else what the form proposes."""
    return form.get(field) or DEFAULTS.get(field, "")
