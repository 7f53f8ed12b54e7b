"""`bloop status`: one screen that shows whether bloop is healthy, for a person or (`--json`) a script.

Exit codes: 0 healthy, 1 degraded while events are still accepted, 2 down or no bloop there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.durations import elapsed
from bloop.base.outcomes import Outcome
from bloop.base.reasons import Reason
from bloop.cli.instance import instance_info
from bloop.cli.overview import EXIT_CODES, WINDOWS, BackupState, Overview, overview
from bloop.cli_kit.context import Refusal, as_json, no_database, print_json, print_table, with_settings

MIB = 1024 * 1024
GIB = 1024 * MIB

REMEDIES = {
    Reason.DB_DAMAGED: "the database file is damaged: stop bloop and run `bloop restore`",
    Reason.DB_UNREACHABLE: "the database cannot be read: run `bloop doctor` to see why",
    Reason.DISK_FULL: "free space on the disk of the database; storing then continues automatically",
    Reason.RING_MISSING: "bloop is not running, or its writer does not start: check its log",
    Reason.WRITER_STALE: "the writer hangs: restart it, it continues where it stopped",
    Reason.WRITER_BUSY: "another program holds the database's write lock: close it",
    Reason.ALERTS_STALE: "restart the alerts process: no notifications are sent meanwhile",
    Reason.RETENTION_STALE: "restart the retention process: nothing is deleted or backed up meanwhile",
    Reason.DELIVERIES_FAILING: "check the delivery log: a receiver refuses its messages",
    Reason.BACKUP_FAILING: "check the storage page: the last backup failed",
    Reason.LIMIT_MET: "open /system: it names the project and the limit in [limits]",
}
_HEADLINES = {"well": "bloop is healthy", "degraded": "bloop is degraded", "down": "bloop is down"}


class NothingThere(Refusal):
    """There is nothing to report the state of: misuse, not an outage."""

    exit_code = 2


@click.command()
@as_json
@with_settings
def status(settings: Settings, as_json: bool) -> None:
    """Show whether bloop is healthy.

    Lists processes, events, buffer, disk, backup and alerts. Exit codes: 0 healthy, 1 degraded, 2 down or not found.
    """
    now_ms = clock.now_ms()
    current = overview(settings, now_ms)
    if current.ring is None and not current.processes and not settings.database_path.exists():
        raise NothingThere(f"{no_database(settings)}, and no bloop runs on it; --config or --data name another")
    instance = instance_info(settings, current.processes)
    if as_json:
        print_json({"instance": instance._asdict()} | _as_json(current, now_ms))
    else:
        click.echo(f"{_HEADLINES[current.state]}\n  {instance}")
        _print(current, now_ms)
    sys.exit(EXIT_CODES[current.state])


def _print(current: Overview, now_ms: int) -> None:
    for reason in current.reasons:
        click.echo(f"  {reason}: {REMEDIES[reason]}")
    if current.processes:
        click.echo()
        print_table(
            ("PROCESS", "PID", "UP", "MEMORY", "CPU"),
            [
                (m.name, m.pid, elapsed(now_ms / 1000 - m.started_s), _bytes(m.pss_bytes), f"{m.cpu_s:.1f} s")
                for m in current.processes
            ],
        )
        known = [m.pss_bytes for m in current.processes if m.pss_bytes is not None]
        click.echo(f"together {_bytes(sum(known))}" if known else "memory: systemctl status 'bloop-*'")
    if current.database is not None:
        click.echo()
        print_table(("RECORDS", *(f"LAST {name.upper()}" for name in WINDOWS)), list(_count_rows(current)))
    click.echo()
    if current.ring is not None:
        spilled = f", {current.ring.spill_records} of them on disk" if current.ring.spill_records else ""
        click.echo(f"buffer    {current.ring.fill:.1%} full, {current.ring.pending_records} records wait{spilled}")
    click.echo(f"database  {_bytes(current.database_bytes)} and {_bytes(current.wal_bytes)} WAL")
    click.echo(f"disk      {_bytes(current.disk_free_bytes)} free")
    if current.database is not None:
        click.echo(f"backup    {_backup(current.database.backup, now_ms)}")
        waiting, failed = current.database.deliveries
        click.echo(f"alerts    {failed} messages could not be delivered, {waiting} wait")


def _backup(backup: BackupState, now_ms: int) -> str:
    age = "none yet" if backup.good_at_ms is None else f"{elapsed((now_ms - backup.good_at_ms) / 1000)} old"
    if backup.proven_at_ms is not None:
        age += f", restore tested {elapsed((now_ms - backup.proven_at_ms) / 1000)} ago"
    return age if backup.error is None else f"{age}; the last attempt failed: {backup.error}"


def _count_rows(current: Overview) -> Iterator[tuple[object, ...]]:
    """One row for received and stored each, and for every other outcome that occurred."""
    assert current.database is not None
    for outcome in Outcome:
        row = [current.database.counts[name].get(outcome, 0) for name in WINDOWS]
        if any(row) or outcome in (Outcome.RECEIVED, Outcome.STORED):
            yield (outcome.label.replace("_", " "), *row)


def _as_json(current: Overview, now_ms: int) -> dict[str, object]:
    ring, stored = current.ring, current.database
    return {
        "state": current.state,
        "reasons": current.reasons,
        "at_ms": now_ms,
        "processes": [m._asdict() for m in current.processes],
        "records": None
        if stored is None
        else {name: {o.label: n for o, n in counts.items()} for name, counts in stored.counts.items()},
        "ring": None
        if ring is None
        else {
            "fill": ring.fill,
            "pending_records": ring.pending_records,
            "spilled_records": ring.spill_records,
            "spilled_bytes": ring.spill_bytes,
            "writer_state": ring.writer_state.name.lower(),
            "writer_seen_ms_ago": now_ms - ring.heartbeat_ms if ring.heartbeat_ms else None,
        },
        "database_bytes": current.database_bytes,
        "wal_bytes": current.wal_bytes,
        "disk_free_bytes": current.disk_free_bytes,
        "backup": None
        if stored is None
        else {
            "good_at_ms": stored.backup.good_at_ms,
            "age_s": None if stored.backup.good_at_ms is None else max(0, now_ms - stored.backup.good_at_ms) // 1000,
            "proven_at_ms": stored.backup.proven_at_ms,
            "error": stored.backup.error,
        },
        "deliveries": None if stored is None else stored.deliveries._asdict(),
    }


def _bytes(count: int | None) -> str:
    if count is None:
        return "?"
    if count >= GIB:
        return f"{count / GIB:.1f} GiB"
    return f"{count / MIB:.1f} MiB"
