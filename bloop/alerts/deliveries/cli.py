"""`bloop delivery`: list, retry and dismiss deliveries of alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from bloop.alerts.deliveries import actions as alert_log
from bloop.alerts.deliveries.read import DeliveryRow, DeliveryState, get_delivery, list_deliveries
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import NotFound
from bloop.cli_kit.context import as_json, database, print_json, print_table, with_settings
from bloop.cli_kit.times import minute
from bloop.db import connection
from bloop.db.engine import Db
from bloop.db.walk import ROWS_MAX

TEXT_CHARS_MAX = 80  # of a message in a table
ID_MAX = 2**63 - 1

_ids = click.argument("delivery_ids", metavar="ID...", type=click.IntRange(1, ID_MAX), nargs=-1)
_all_failed = click.option("--failed", is_flag=True, help="All failed deliveries.")


@click.group()
def delivery() -> None:
    """Show, retry and dismiss deliveries of alerts."""


@delivery.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in DeliveryState]), help="Only deliveries in this state."
)
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=20, show_default=True, help="Deliveries to list.")
@as_json
@with_settings
def list_log(settings: Settings, state: str | None, limit: int, as_json: bool) -> None:
    """List the newest deliveries and the receivers' answers."""
    with database(settings) as db:
        rows = list_deliveries(db, state=DeliveryState(state) if state else None, limit=limit)
    if as_json:
        print_json([_public(row) for row in rows])
        return
    print_table(
        ("ID", "CREATED", "STATE", "TRIES", "TO", "ANSWER", "TEXT"),
        [
            (
                row.id,
                minute(row.created_at_ms),
                row.state.value,
                row.attempts,
                f"{row.channel_type} {row.target}",
                row.last_error or row.last_status or "",
                row.text[:TEXT_CHARS_MAX],
            )
            for row in rows
        ],
    )


@delivery.command()
@_ids
@_all_failed
@with_settings
def retry(settings: Settings, delivery_ids: tuple[int, ...], failed: bool) -> None:
    """Retry deliveries now."""
    now_ms = clock.now_ms()
    _change_each(settings, delivery_ids, failed, lambda db, row: alert_log.retry(db, row.id, now_ms), "to be retried")


@delivery.command()
@_ids
@_all_failed
@with_settings
def dismiss(settings: Settings, delivery_ids: tuple[int, ...], failed: bool) -> None:
    """Stop retrying deliveries.

    They no longer count as failing.
    """
    _change_each(settings, delivery_ids, failed, lambda db, row: alert_log.dismiss(db, row.id), "dismissed")


def _change_each(
    settings: Settings,
    delivery_ids: tuple[int, ...],
    failed: bool,
    do: Callable[[Db, DeliveryRow], None],
    done: str,
) -> None:
    """Each in its own transaction, so that the writer gets its turn. Stops at the first that is refused."""
    if not delivery_ids and not failed:
        raise click.UsageError("give delivery ids, or use --failed for all failed ones")
    count = 0
    with database(settings) as db:
        for row in _list_failed(db) if failed else [_require_delivery(db, delivery_id) for delivery_id in delivery_ids]:
            with connection.immediate(db):
                do(db, row)
            count += 1
    click.echo(f"{count} {done}", err=True)


def _require_delivery(db: Db, delivery_id: int) -> DeliveryRow:
    row = get_delivery(db, delivery_id)
    if row is None:
        raise NotFound(f"delivery {delivery_id} not found")
    return row


def _list_failed(db: Db) -> list[DeliveryRow]:
    """Newest first."""
    rows: list[DeliveryRow] = []
    before_id = None
    while page := list_deliveries(db, state=DeliveryState.FAILED, before_id=before_id, limit=ROWS_MAX):
        rows += page
        before_id = page[-1].id
    return rows


def _public(row: DeliveryRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "rule_id": row.rule_id,
        "rule": row.rule_name,
        "project": row.project_slug,
        "issue": row.short_id,
        "text": row.text,
        "is_test": row.is_test,
        "channel_type": row.channel_type,
        "target": row.target,
        "state": row.state.value,
        "attempts": row.attempts,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "next_try_at_ms": row.next_try_at_ms if row.state is DeliveryState.WAITING else None,
        "created_at_ms": row.created_at_ms,
        "sent_at_ms": row.sent_at_ms,
    }
