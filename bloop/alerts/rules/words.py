"""Rules, channels and answers as text: sentences of the list, values of the form. Pure.

RULE-WORDS-1  A form shows a stored rule and submitted input alike: both map field names to text.
RULE-WORDS-2  Users enter minutes, the database stores seconds. Windows are whole minutes, a cooldown may have a
    fraction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloop.alerts.rules.read import RuleRow
from bloop.base.durations import span

TYPES = {
    "new_issue": "a new issue appears",
    "regression": "an issue regresses",
    "threshold": "event count is high",
    "spike": "event rate spikes",
}
DEFAULT_NAMES = {
    "new_issue": "New issues",
    "regression": "Regressions",
    "threshold": "High event count",
    "spike": "Event rate spikes",
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
# Defaults of the form: field → text. Config keys in seconds have fields in minutes.
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


def describe_condition(rule: RuleRow, short_id: str = "") -> str:
    """`more than 100 events in 5 min` … `short_id` names the issue of a rule that watches one."""
    config = rule.config
    watched = short_id or (f"fingerprint {config['fingerprint']}" if config.get("fingerprint") else "")
    parts = [watched, f"route {config['route']}" if config.get("route") else ""]
    of = "".join(f" of {part}" for part in parts if part)
    if rule.rule_type == "threshold":
        counted = f"more than {config['threshold']:,} events" if config["threshold"] else "any event"
        return f"{counted} in {span(config['window_secs'])}{of}"
    if rule.rule_type == "spike":
        compared, before = span(config["compare_window_secs"]), span(config["baseline_window_secs"])
        return f"event rate spikes {config['multiplier']:g}x ({compared} vs. the previous {before}){of}"
    if rule.rule_type == "regression" and watched:
        return f"{watched} regresses"
    return TYPES.get(rule.rule_type, rule.rule_type)


def describe_scope(rule: RuleRow) -> str:
    """The project and the filters."""
    environment = rule.environment_filter or rule.config.get("environment")
    source = rule.source_filter or rule.config.get("source")
    parts = [rule.project_name or ALL_PROJECTS]
    parts += [f"environment {environment}"] if environment else []
    parts += [f"source {source}"] if source else []
    return ", ".join(parts)


def default_rule_name(form: Mapping[str, str]) -> str:
    """The name of a rule without one: `New issues in production`."""
    environment = form.get("environment", "").strip()
    name = DEFAULT_NAMES.get(form.get("type", ""), "Alert")
    return f"{name} in {environment}"[:100].strip() if environment else name


def channel_label(channel_type: str, target: str) -> str:
    """`Slack hooks.slack.com`"""
    return f"{channel_name(channel_type)} {target}".strip()


def channel_name(channel_type: str) -> str:
    return CHANNELS.get(channel_type, channel_type)


def describe_answer(last_error: str | None, last_status: int | None) -> str:
    """Status and error of the last try; `""` without any."""
    error = (last_error or "").strip()
    if last_status is not None and str(last_status) not in error:
        return f"{last_status}: {error}" if error else str(last_status)
    return error


def form_values(rule: RuleRow) -> dict[str, str]:
    """The form values of a rule (RULE-WORDS-1)."""
    config: dict[str, Any] = rule.config
    values = {field: str(-(-config[key] // 60)) for field, key in MINUTES.items() if config.get(key) is not None}
    values |= {name: f"{config[name]:.15g}" for name in NUMBERS if config.get(name) is not None}
    values |= {name: config[name] for name in TEXTS if config.get(name)}
    return values | {
        "type": rule.rule_type,
        "name": rule.name,
        "description": rule.description or "",
        "project": rule.project_slug or "",
        "environment": rule.environment_filter or config.get("environment") or "",
        "source": rule.source_filter or config.get("source") or "",
        "cooldown_minutes": "" if rule.cooldown_secs is None else format_minutes(rule.cooldown_secs),
    }


def format_minutes(seconds: float) -> str:
    """A cooldown in minutes."""
    return f"{seconds / 60:.6g}"


def form_value(form: Mapping[str, str], field: str) -> str:
    """The value of a field: the input, else the default."""
    return form.get(field) or DEFAULTS.get(field, "")
