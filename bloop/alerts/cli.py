"""`bloop alert`: list rules, turn them on and off, test them."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from bloop.alerts.deliveries.read import deliveries_of
from bloop.alerts.firing import send_test as trial
from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.read import RuleRow, list_channels, list_rules
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError, Conflict, NotFound
from bloop.cli_kit.context import as_json, database, print_json, print_table, with_settings
from bloop.cli_kit.times import minute
from bloop.db import connection
from bloop.db.engine import Db

_NO_CHANNEL = "nobody"


@click.group()
def alert() -> None:
    """Manage alert rules."""


@alert.command("list")
@as_json
@with_settings
def list_alerts(settings: Settings, as_json: bool) -> None:
    """List all rules and their channels. Create rules in the browser or through the API."""
    with database(settings) as db:
        rows = list_rules(db)
        targets = {row.id: _list_targets(db, settings, row) for row in rows}
    if as_json:
        print_json([_public(row, targets[row.id]) for row in rows])
        return
    print_table(
        ("ID", "NAME", "TYPE", "PROJECT", "STATE", "LAST FIRED", "TELLS"),
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

    now_ms = clock.now_ms()
    with database(settings) as db:
        row = _find_rule(list_rules(db), rule)
        if not (is_running := trial.is_running(db, now_ms)):
            raise BloopError(f"{trial.NO_PROCESS}: start bloop first")
        with connection.immediate(db):
            firing_id = trial.start(
                db,
                row,
                channels.fallbacks(settings),
                channels.target,
                origin=settings.auth.rp_origin,
                now_ms=now_ms,
            )
        with closing(connection.open_reader(settings.database_path)) as reader:
            rows = trial.wait(lambda: deliveries_of(reader, firing_id), trial.WAIT_S)
        with connection.immediate(db):
            trial.end(db, firing_id)
    outcomes = trial.outcomes(rows, is_running=is_running)
    if as_json:
        print_json([outcome._asdict() for outcome in outcomes])
    else:
        lines = [(o.channel_type, o.target, o.state, o.detail or o.status or "") for o in outcomes]
        print_table(("CHANNEL", "TARGET", "STATE", "ANSWER"), lines)
    if not outcomes:
        raise BloopError("the rule has no channel: add one")
    if any(outcome.state != "sent" for outcome in outcomes):
        raise BloopError("not every channel accepted the test")


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
