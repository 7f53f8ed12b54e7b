"""What `bloop status` knows, gathered without the dashboard: from the ring, the database, the disk and /proc.

Nothing here raises for what it finds: a database that cannot be read is a finding, not a failure.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import apsw

from bloop.alerts.deliveries.read import DeliveryState, count_deliveries
from bloop.backup import read as backups
from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS, minute_of
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.base.outcomes import Outcome
from bloop.cli.family import Member, family
from bloop.db import connection
from bloop.health.processes_read import process_states, troubles
from bloop.health.read import Reason, Vitals, database_answers, reasons
from bloop.ledger.read import all_project_ids, outcomes_since
from bloop.ring import Segment, WriterState
from bloop.ring.segment import RingStat

QUERY_MS_MAX = 2000
WINDOWS = {"minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS}

WELL, DEGRADED, DOWN = "well", "degraded", "down"
EXIT_CODES = {WELL: 0, DEGRADED: 1, DOWN: 2}

Counts = dict[str, dict[Outcome, int]]  # of WINDOWS


class Backup(NamedTuple):
    """`good_at_ms`: the newest that worked is of this moment; `error`: why the newest attempt failed, if it did."""

    good_at_ms: int | None
    proven_at_ms: int | None
    error: str | None


class Deliveries(NamedTuple):
    """Alert messages that nobody got yet."""

    waiting: int
    failed: int


class Stored(NamedTuple):
    """What the database says."""

    background: tuple[Reason, ...]
    counts: Counts
    backup: Backup
    deliveries: Deliveries


class Overview(NamedTuple):
    state: str
    reasons: list[Reason]
    processes: list[Member]
    stored: Stored | None  # None: the database does not answer
    ring: RingStat | None
    database_bytes: int
    wal_bytes: int
    disk_free_bytes: int | None


def overview(settings: Settings, now_ms: int) -> Overview:
    ring, members = _ring(settings), family(settings)
    stored = _read(settings, now_ms)
    free = _disk_free(settings)
    vitals = Vitals(
        db_ok=stored is not None,
        disk_free_bytes=free,
        ring_fill=None if ring is None else ring.fill,
        writer_seen_ms=None if ring is None else ring.heartbeat_ms,
        writer_disk_full=ring is not None and ring.writer_state is WriterState.DISK_FULL,
        writer_busy=ring is not None and ring.writer_state is WriterState.BUSY,
        background=stored.background if stored else (),
    )
    found = reasons(vitals, now_ms=now_ms, disk_free_bytes_min=settings.database.disk_free_bytes_min)
    path = settings.database_path
    return Overview(
        state=judge(found, members),
        reasons=found,
        processes=members,
        stored=stored,
        ring=ring,
        database_bytes=_size(path),
        wal_bytes=_size(path.with_name(f"{path.name}-wal")),
        disk_free_bytes=free,
    )


def judge(found: list[Reason], members: list[Member]) -> str:
    """Down when events cannot be taken in: no ring, or nobody to answer. Pure."""
    if Reason.RING_MISSING in found or not any(member.name == "ingest worker" for member in members):
        return DOWN
    return DEGRADED if found else WELL


def _read(settings: Settings, now_ms: int) -> Stored | None:
    if not settings.database_path.exists():
        return None
    try:
        with (
            contextlib.closing(connection.open_reader(settings.database_path)) as db,
            connection.time_limit(db, QUERY_MS_MAX),
        ):
            database_answers(db)
            projects, good = all_project_ids(db), backups.last_good(db)
            return Stored(
                background=tuple(troubles(process_states(db), now_ms)),
                counts={
                    name: outcomes_since(db, projects, minute_of(now_ms) - length_ms)
                    for name, length_ms in WINDOWS.items()
                },
                backup=Backup(good.started_at_ms if good else None, backups.last_proven_at_ms(db), backups.failing(db)),
                deliveries=Deliveries(
                    count_deliveries(db, DeliveryState.WAITING), count_deliveries(db, DeliveryState.FAILED)
                ),
            )
    except (BloopError, apsw.Error):
        return None


def _ring(settings: Settings) -> RingStat | None:
    try:
        with contextlib.closing(Segment.attach(settings.ring_name)) as segment:
            return segment.stat()
    except BloopError:
        return None


def _disk_free(settings: Settings) -> int | None:
    try:
        return shutil.disk_usage(settings.database_path.parent).free
    except OSError:
        return None


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
