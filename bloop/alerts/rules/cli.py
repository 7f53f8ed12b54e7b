"""`bloop alert create`: a rule with its channels in one command."""

from __future__ import annotations

from typing import Any

import click

from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.bodies import fields_in
from bloop.alerts.rules.forms import describe_error
from bloop.alerts.rules.model import RuleType
from bloop.alerts.rules.read import get_rule
from bloop.alerts.rules.watched import find_by_short_id
from bloop.alerts.rules.words import DEFAULTS, describe_condition, describe_scope
from bloop.alerts.saved_channels.cli import find_channel, label_of
from bloop.alerts.saved_channels.read import list_saved_channels
from bloop.alerts.saved_channels.store import attach_channel
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import InvalidField, NotFound
from bloop.cli_kit.context import as_json, change, database, print_json, with_settings
from bloop.db.engine import Db
from bloop.projects.read import find_project

MINUTES = click.IntRange(1, 1440)
# Option → key of the config, and the types that take it.
_CONFIG_KEYS = {
    "threshold": ("threshold", {"threshold"}),
    "window": ("window_secs", {"threshold"}),
    "multiplier": ("multiplier", {"spike"}),
    "compare": ("compare_window_secs", {"spike"}),
    "baseline": ("baseline_window_secs", {"spike"}),
    "min_count": ("min_count", {"spike"}),
    "route": ("route", {"threshold", "spike"}),
    "issue": ("fingerprint", {"regression", "threshold", "spike"}),
}
_IN_MINUTES = {"window": "window_minutes", "compare": "compare_minutes", "baseline": "baseline_minutes"}
_DEFAULTS = {"threshold": "threshold", "multiplier": "multiplier", **_IN_MINUTES}


@click.command()
@click.argument("name")
@click.option(
    "--type",
    "rule_type",
    type=click.Choice([kind.value for kind in RuleType]),
    default=RuleType.NEW_ISSUE.value,
    show_default=True,
    help="When the rule fires.",
)
@click.option("--project", "slug", metavar="SLUG", help="Project to watch (default: all projects).")
@click.option("--env", "environment", metavar="NAME", help="Environment to watch (default: all).")
@click.option("--source", metavar="NAME", help="Source to watch (default: all).")
@click.option("--channel", "references", metavar="ID|NAME", multiple=True, help="Channel to notify; can be repeated.")
@click.option("--issue", metavar="SHORT_ID", help="Watch only this issue, SHOP-12 for one.")
@click.option("--route", metavar="ROUTE", help="Count only events of this route.")
@click.option("--threshold", type=click.IntRange(0), help="Of a threshold: fire above this many events (100).")
@click.option("--window", type=MINUTES, metavar="MINUTES", help="Of a threshold: within this time (5).")
@click.option("--multiplier", type=float, help="Of a spike: fire above this many times the rate before (3).")
@click.option("--compare", type=MINUTES, metavar="MINUTES", help="Of a spike: the time that is compared (10).")
@click.option("--baseline", type=MINUTES, metavar="MINUTES", help="Of a spike: the time before it (60).")
@click.option("--min-count", type=click.IntRange(1), help="Of a spike: fire from this many events on (10).")
@click.option(
    "--cooldown", type=click.FloatRange(0), metavar="MINUTES", help="At most one alert per issue in this time."
)
@as_json
@with_settings
def create(
    settings: Settings,
    name: str,
    rule_type: str,
    slug: str | None,
    environment: str | None,
    source: str | None,
    references: tuple[str, ...],
    cooldown: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Create a rule and say which channels it notifies. `bloop channel create` makes channels."""
    body = {
        "name": name,
        "environment_filter": environment,
        "source_filter": source,
        "cooldown_secs": None if cooldown is None else round(cooldown * 60),
    }

    def save(db: Db) -> tuple[int, list[str]]:
        project_id, now_ms = find_project(db, slug).id if slug else None, clock.now_ms()
        config = _config(db, rule_type, project_id, options)
        fields = fields_in(body | {"config": {"type": rule_type, **config}})
        rule_id = alert_rules.create_rule(db, fields, project_id=project_id, created_by=None, now_ms=now_ms)
        usable = [row for row in list_saved_channels(db) if row.project_id in (None, project_id)]
        chosen = [find_channel(usable, reference) for reference in references]
        for row in chosen:
            attach_channel(db, rule_id, project_id, row.id, now_ms)
        return rule_id, [label_of(row) for row in chosen]

    try:
        rule_id, notified = change(settings, save)
    except InvalidField as error:
        raise click.UsageError(describe_error(error)) from None
    if as_json:
        print_json({"id": rule_id, "name": name.strip(), "rule_type": rule_type, "channels": notified})
        return
    click.echo(_describe(settings, rule_id, notified), err=True)
    click.echo(rule_id)


def _config(db: Db, rule_type: str, project_id: int | None, options: dict[str, Any]) -> dict[str, Any]:
    """The config from the options; those of a count or a spike have the defaults of the form."""
    config: dict[str, Any] = {}
    for option, (key, types) in _CONFIG_KEYS.items():
        value = options[option]
        if value is not None and rule_type not in types:
            raise click.UsageError(f"--{option.replace('_', '-')} is for --type {' or '.join(sorted(types))}")
        if value is None and rule_type in types and option in _DEFAULTS:
            value = float(DEFAULTS[_DEFAULTS[option]])
        if value is not None:
            config[key] = value * 60 if option in _IN_MINUTES else value
    if options["issue"] is not None:
        issue = find_by_short_id(db, options["issue"], None if project_id is None else [project_id])
        if issue is None:
            raise NotFound(f"issue {options['issue']} not found")
        config["fingerprint"] = issue.fingerprint
    return config


def _describe(settings: Settings, rule_id: int, notified: list[str]) -> str:
    with database(settings) as db:
        rule = get_rule(db, rule_id)
    assert rule is not None, "created by this command"
    receivers = ", ".join(notified) or "no channel yet (its alerts are only logged, or go to the default channel)"
    condition = f"{describe_condition(rule)} in {describe_scope(rule)}"
    return f"Created {rule.name} ({rule.id}): notifies {receivers} when {condition}"
