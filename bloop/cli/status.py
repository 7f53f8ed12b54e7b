"""`bloop status`: one screen that says whether bloop is well, for a person or (`--json`) a script.

Exit codes: 0 well, 1 something is wrong while events are still taken in, 2 down.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.outcomes import Outcome
from bloop.cli.overview import EXIT_CODES, WINDOWS, Backup, Overview, overview
from bloop.command.context import as_json, print_json, print_table, with_settings
from bloop.health.read import Reason

MIB = 1024 * 1024
GIB = 1024 * MIB

REMEDIES = {
    Reason.DB_UNREACHABLE: "the database cannot be read: `bloop doctor` says why",
    Reason.DISK_FULL: "make room on the disk of the database; storing goes on by itself",
    Reason.RING_MISSING: "bloop is not running, or its writer does not start: look at its log",
    Reason.WRITER_STALE: "the writer hangs: restart it, it goes on where it stopped",
    Reason.WRITER_BUSY: "something else holds the database's write lock: close it",
    Reason.ALERTS_STALE: "restart the alerts process: nobody is told about anything meanwhile",
    Reason.RETENTION_STALE: "restart the retention process: nothing is deleted or backed up meanwhile",
    Reason.DELIVERIES_FAILING: "look at the delivery log: a receiver refuses its messages",
    Reason.BACKUP_FAILING: "look at the storage page: the last backup did not succeed",
}
_HEADLINES = {"well": "bloop is well", "degraded": "bloop runs, and something is wrong", "down": "bloop is down"}


@click.command()
@as_json
@with_settings
def status(settings: Settings, as_json: bool) -> None:
    """Is bloop well? Processes, events, buffer, disk, backup and alerts. Exit code 0 well, 1 degraded, 2 down."""
    now_ms = clock.now_ms()
    seen = overview(settings, now_ms)
    if as_json:
        print_json(_as_json(seen, now_ms))
    else:
        _print(seen, now_ms)
        if not settings.database_path.exists():
            click.echo(f"\nThere is no database {settings.database_path}: is this the right --config or --data?")
    sys.exit(EXIT_CODES[seen.state])


def _print(seen: Overview, now_ms: int) -> None:
    click.echo(_HEADLINES[seen.state])
    for reason in seen.reasons:
        click.echo(f"  {reason}: {REMEDIES[reason]}")
    if seen.processes:
        click.echo()
        print_table(
            ("PROCESS", "PID", "UP", "MEMORY", "CPU"),
            [
                (m.name, m.pid, _span(now_ms / 1000 - m.started_s), _bytes(m.pss_bytes), f"{m.cpu_s:.1f} s")
                for m in seen.processes
            ],
        )
        known = [m.pss_bytes for m in seen.processes if m.pss_bytes is not None]
        click.echo(f"together {_bytes(sum(known))}" if known else "memory: systemctl status 'bloop-*'")
    if seen.stored is not None:
        click.echo()
        print_table(("RECORDS", *(f"LAST {name.upper()}" for name in WINDOWS)), list(_count_rows(seen)))
    click.echo()
    if seen.ring is not None:
        spilled = f", {seen.ring.spill_records} of them on the disk" if seen.ring.spill_records else ""
        click.echo(f"buffer    {seen.ring.fill:.1%} full, {seen.ring.pending_records} records wait{spilled}")
    click.echo(f"database  {_bytes(seen.database_bytes)} and {_bytes(seen.wal_bytes)} of log")
    click.echo(f"disk      {_bytes(seen.disk_free_bytes)} free")
    if seen.stored is not None:
        click.echo(f"backup    {_backup(seen.stored.backup, now_ms)}")
        waiting, failed = seen.stored.deliveries
        click.echo(f"alerts    {failed} messages could not be delivered, {waiting} wait")


def _backup(backup: Backup, now_ms: int) -> str:
    said = "none yet" if backup.good_at_ms is None else f"{_span((now_ms - backup.good_at_ms) / 1000)} old"
    if backup.proven_at_ms is not None:
        said += f", one restored on trial {_span((now_ms - backup.proven_at_ms) / 1000)} ago"
    return said if backup.error is None else f"{said}; the last attempt failed: {backup.error}"


def _count_rows(seen: Overview) -> Iterator[tuple[object, ...]]:
    """Received and stored always, what went wrong only when it did."""
    assert seen.stored is not None
    for outcome in Outcome:
        row = [seen.stored.counts[name].get(outcome, 0) for name in WINDOWS]
        if any(row) or outcome in (Outcome.RECEIVED, Outcome.STORED):
            yield (outcome.label.replace("_", " "), *row)


def _as_json(seen: Overview, now_ms: int) -> dict[str, object]:
    ring, stored = seen.ring, seen.stored
    return {
        "state": seen.state,
        "reasons": seen.reasons,
        "at_ms": now_ms,
        "processes": [m._asdict() for m in seen.processes],
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
        "database_bytes": seen.database_bytes,
        "wal_bytes": seen.wal_bytes,
        "disk_free_bytes": seen.disk_free_bytes,
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


def _span(seconds: float) -> str:
    """The two largest units: 3 d 4 h, 12 min 5 s."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _bytes(count: int | None) -> str:
    if count is None:
        return "?"
    if count >= GIB:
        return f"{count / GIB:.1f} GiB"
    return f"{count / MIB:.1f} MiB"
