"""`bloop alert`: list the rules, turn them on and off, try them out."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from bloop.alerts.deliveries.read import deliveries_of
from bloop.alerts.firing import trial
from bloop.alerts.rules import store as alert_rules
from bloop.alerts.rules.read import RuleRow, list_channels, list_rules
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import BloopError, Conflict, NotFound
from bloop.command.context import as_json, database, print_json, print_table, with_settings
from bloop.command.times import minute
from bloop.db import connection
from bloop.db.engine import Db

_NOBODY = "nobody"


@click.group()
def alert() -> None:
    """Alert rules."""


@alert.command("list")
@as_json
@with_settings
def list_alerts(settings: Settings, as_json: bool) -> None:
    """Every rule and whom it tells. Rules are made on the page or through the API."""
    with database(settings) as db:
        rows = list_rules(db)
        told = {row.id: _told(db, settings, row) for row in rows}
    if as_json:
        print_json([_public(row, told[row.id]) for row in rows])
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
                ", ".join(told[row.id]) or _NOBODY,
            )
            for row in rows
        ],
    )


@alert.command()
@click.argument("rule", metavar="ID|NAME")
@with_settings
def enable(settings: Settings, rule: str) -> None:
    """Turn a rule on. What happened while it was off is not announced."""
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
    """Send a test to everybody a rule tells and print what they answered; fails unless all of them took it."""
    from bloop.alerts import channels

    now_ms = clock.now_ms()
    with database(settings) as db:
        found = _find(list_rules(db), rule)
        if not (is_running := trial.is_running(db, now_ms)):
            raise BloopError(f"{trial.NO_PROCESS}: start bloop first")
        with connection.immediate(db):
            firing_id = trial.start(
                db,
                found,
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
        raise BloopError("the rule tells nobody: add a channel to it")
    if any(outcome.state != "sent" for outcome in outcomes):
        raise BloopError("not everybody took it")


def _switch(settings: Settings, reference: str, *, enabled: bool) -> None:
    with database(settings) as db:
        found = _find(list_rules(db), reference)
        with connection.immediate(db):
            alert_rules.switch_rule(db, found.id, clock.now_ms(), enabled=enabled)
    click.echo(f"{found.name} ({found.id}) is {'on' if enabled else 'off'}", err=True)


def _find(rows: list[RuleRow], reference: str) -> RuleRow:
    found = [row for row in rows if reference in (str(row.id), row.name)]
    if not found:
        raise NotFound(f"there is no alert rule {reference!r}")
    if len(found) > 1:
        raise Conflict(f"several rules are called {reference!r}; name one by its id")
    return found[0]


def _told(db: Db, settings: Settings, row: RuleRow) -> list[str]:
    from bloop.alerts import channels

    own = [(channel.channel_type, channel.config) for channel in list_channels(db, [row.id])]
    return [f"{kind} {channels.target(kind, config)}" for kind, config in own or channels.fallbacks(settings)]


def _public(row: RuleRow, told: list[str]) -> dict[str, Any]:
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
        "tells": told,
    }
