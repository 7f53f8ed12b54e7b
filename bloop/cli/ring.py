"""`bloop ring stat`: what waits between the processes."""

from __future__ import annotations

import contextlib

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.command.context import as_json, print_json, print_table, with_settings
from bloop.ring import Segment


@click.group()
def ring() -> None:
    """The shared-memory ring between ingest and writer."""


@ring.command()
@as_json
@with_settings
def stat(settings: Settings, as_json: bool) -> None:
    """Fill, counters and owners of every lane, what waits on the disk, and what the writer is doing."""
    with contextlib.closing(Segment.attach(settings.ring_name)) as segment:
        found = segment.stat()
    seen_ms_ago = clock.now_ms() - found.heartbeat_ms if found.heartbeat_ms else None
    state = found.writer_state.name.lower() if found.consumer_claimed else "absent"
    if as_json:
        lanes = [lane._asdict() for lane in found.lanes]
        rest = {"name": settings.ring_name, "writer_state": state, "writer_seen_ms_ago": seen_ms_ago, "lanes": lanes}
        print_json(found._asdict() | rest)
        return
    seen = "never" if seen_ms_ago is None else f"{seen_ms_ago / 1000:.1f} s ago"
    click.echo(f"ring     {settings.ring_name}, {found.capacity_bytes / 1024 / 1024:.0f} MiB, {found.fill:.1%} full")
    on_disk = f", of them {found.spill_records} on disk ({found.spill_bytes} bytes)" if found.spill_bytes else ""
    click.echo(f"waiting  {found.pending_records} records{on_disk}")
    click.echo(f"writer   {state}, seen {seen}\n")
    print_table(
        ("LANE", "PROCESS", "USED BYTES", "ON DISK", "ACCEPTED", "SPILLED", "DROPPED"),
        [
            (
                lane.index,
                lane.producer_pid or "-",
                lane.used_bytes,
                lane.spill_bytes,
                lane.accepted,
                lane.spilled,
                lane.dropped,
            )
            for lane in found.lanes
        ],
    )
