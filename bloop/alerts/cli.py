"""`bloop alert`: create and list rules, turn them on and off, test them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from bloop.alerts.firing import send_test as trial
from bloop.alerts.firing.cli_test import run_and_print
from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.cli import create
from bloop.alerts.rules.read import RuleRow, list_channels, list_rules
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict, NotFound
from bloop.cli_kit.context import as_json, database, print_json, print_table, with_settings
from bloop.cli_kit.times import minute
from bloop.db import connection
from bloop.db.engine import Db

_NO_CHANNEL = "none"


@click.group()
def alert() -> None:
    """Manage alert rules."""


alert.add_command(create)


@alert.command("list")
@as_json
@with_settings
def list_alerts(settings: Settings, as_json: bool) -> None:
    """List all rules and their channels."""
    with database(settings) as db:
        rows = list_rules(db)
        targets = {row.id: _list_targets(db, settings, row) for row in rows}
    if as_json:
        print_json([_public(row, targets[row.id]) for row in rows])
        return
    print_table(
        ("ID", "NAME", "TYPE", "PROJECT", "STATE", "LAST FIRED", "CHANNELS"),
        [
            (
                row.id,
                row.name,
                row.rule_type,
                row.project_slug or "all",
                "on" if row.enabled else "off",
                "never" if row.last_fired_at_ms is None else minute(row.last_fired_at_ms),
                ", ".join(targets[row.id]) or _NO_CHANNEL,
            )
            for row in rows
        ],
    )


@alert.command()
@click.argument("rule", metavar="ID|NAME")
@with_settings
def enable(settings: Settings, rule: str) -> None:
    """Turn a rule on. It does not alert about events that came while it was off."""
    _switch(settings, rule, enabled=True)


@alert.command()
@click.argument("rule", metavar="ID|NAME")
@with_settings
def disable(settings: Settings, rule: str) -> None:
    """Turn a rule off. It keeps its channels."""
    _switch(settings, rule, enabled=False)


@alert.command()
@click.argument("rule", metavar="ID|NAME")
@as_json
@with_settings
def test(settings: Settings, rule: str, as_json: bool) -> None:
    """Send a test to every channel of a rule and print the answers. Fails unless all accept it."""
    from bloop.alerts import channels

    fallbacks, origin = channels.fallbacks(settings), settings.auth.rp_origin

    def find(db: Db) -> Callable[[int], int]:
        row = _find_rule(list_rules(db), rule)
        return lambda now_ms: trial.start_of_rule(db, row, fallbacks, channels.target, origin=origin, now_ms=now_ms)

    run_and_print(settings, find, as_json=as_json, empty="the rule has no channel: add one")


def _switch(settings: Settings, reference: str, *, enabled: bool) -> None:
    with database(settings) as db:
        row = _find_rule(list_rules(db), reference)
        with connection.immediate(db):
            alert_rules.switch_rule(db, row.id, clock.now_ms(), enabled=enabled)
    click.echo(f"{row.name} ({row.id}) is {'on' if enabled else 'off'}", err=True)


def _find_rule(rows: list[RuleRow], reference: str) -> RuleRow:
    matches = [row for row in rows if reference in (str(row.id), row.name)]
    if not matches:
        raise NotFound(f"alert rule {reference!r} not found")
    if len(matches) > 1:
        raise Conflict(f"several rules are named {reference!r}; use the id")
    return matches[0]


def _list_targets(db: Db, settings: Settings, row: RuleRow) -> list[str]:
    from bloop.alerts import channels

    own = [(channel.channel_type, channel.config) for channel in list_channels(db, [row.id])]
    return [f"{kind} {channels.target(kind, config)}" for kind, config in own or channels.fallbacks(settings)]


def _public(row: RuleRow, targets: list[str]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "rule_type": row.rule_type,
        "config": row.config,
        "project": row.project_slug,
        "environment_filter": row.environment_filter,
        "source_filter": row.source_filter,
        "cooldown_secs": row.cooldown_secs,
        "enabled": row.enabled,
        "last_fired_at_ms": row.last_fired_at_ms,
        "tells": targets,
    }
