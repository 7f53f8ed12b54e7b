"""`bloop ring stat`: the state of the ring between ingest and writer."""

from __future__ import annotations

import contextlib

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import RingMissing
from bloop.cli_kit.context import Refusal, as_json, print_json, print_table, with_settings
from bloop.ring import Segment


@click.group()
def ring() -> None:
    """Inspect the ring between ingest and writer."""


@ring.command()
@as_json
@with_settings
def stat(settings: Settings, as_json: bool) -> None:
    """Show the lanes, the spill and the writer's state.

    Of every lane: its fill, its counters and the process that owns it.
    """
    try:
        with contextlib.closing(Segment.attach(settings.ring_name)) as segment:
            ring_stat = segment.stat()
    except RingMissing as error:
        raise Refusal(f"bloop is not running: no ring {settings.ring_name}") from error
    seen_ms_ago = clock.now_ms() - ring_stat.heartbeat_ms if ring_stat.heartbeat_ms else None
    state = ring_stat.writer_state.name.lower() if ring_stat.consumer_claimed else "absent"
    if as_json:
        lanes = [lane._asdict() for lane in ring_stat.lanes]
        more = {"name": settings.ring_name, "writer_state": state, "writer_seen_ms_ago": seen_ms_ago, "lanes": lanes}
        print_json(ring_stat._asdict() | more)
        return
    heartbeat = "never" if seen_ms_ago is None else f"{seen_ms_ago / 1000:.1f} s ago"
    capacity_mib = ring_stat.capacity_bytes / 1024 / 1024
    click.echo(f"ring     {settings.ring_name}, {capacity_mib:.0f} MiB, {ring_stat.fill:.1%} full")
    spill = f"{ring_stat.spill_records} on disk ({ring_stat.spill_bytes} bytes)"
    click.echo(f"waiting  {ring_stat.pending_records} records{f', of them {spill}' if ring_stat.spill_bytes else ''}")
    click.echo(f"writer   {state}, seen {heartbeat}\n")
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
            for lane in ring_stat.lanes
        ],
    )
