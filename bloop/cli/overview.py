"""Gathers the data of `bloop status` without the dashboard: from the ring, the database, the disk and /proc.

No function here raises for the state it finds: an unreadable database is a result, not an error.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from bloop.alerts.deliveries.read import DeliveryState, count_deliveries
from bloop.backup import read as backups
from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS, minute_of
from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.base.outcomes import Outcome
from bloop.base.reasons import Reason
from bloop.cli.processes import ProcessInfo, find_processes
from bloop.db import connection
from bloop.db import errors as db_errors
from bloop.db.checkpoint import log_path
from bloop.health.model import Vitals, list_reasons
from bloop.health.read import check_database
from bloop.issues.limits.read import LimitUsage, list_usages
from bloop.ledger.read import all_project_ids, outcomes_since
from bloop.processes.read import process_states, troubles
from bloop.ring import Segment, WriterState
from bloop.ring.segment import RingStat

QUERY_MS_MAX = 2000
WINDOWS = {"minute": MINUTE_MS, "hour": HOUR_MS, "day": DAY_MS}

WELL, DEGRADED, DOWN = "well", "degraded", "down"
EXIT_CODES = {WELL: 0, DEGRADED: 1, DOWN: 2}

Counts = dict[str, dict[Outcome, int]]  # of WINDOWS


class BackupState(NamedTuple):
    """`good_at_ms`: moment of the newest good backup; `error`: why the newest attempt failed, if it did."""

    good_at_ms: int | None
    proven_at_ms: int | None
    error: str | None


class DeliveryCounts(NamedTuple):
    """Counts of alert messages that no recipient got yet."""

    waiting: int
    failed: int


class StoredState(NamedTuple):
    """The part of the overview that comes from the database."""

    background: tuple[Reason, ...]
    limits: tuple[LimitUsage, ...]
    counts: Counts
    backup: BackupState
    deliveries: DeliveryCounts


class Overview(NamedTuple):
    state: str
    reasons: list[Reason]
    processes: list[ProcessInfo]
    database: StoredState | None  # None: the database does not answer
    ring: RingStat | None
    database_bytes: int
    wal_bytes: int
    disk_free_bytes: int | None


def overview(settings: Settings, now_ms: int) -> Overview:
    ring, processes = _ring(settings), find_processes(settings)
    database = _read_database(settings, now_ms)
    free = _disk_free(settings)
    vitals = Vitals(
        db_ok=database is not None,
        disk_free_bytes=free,
        ring_fill=None if ring is None else ring.fill,
        writer_seen_ms=None if ring is None else ring.heartbeat_ms,
        writer_disk_full=ring is not None and ring.writer_state is WriterState.DISK_FULL,
        writer_busy=ring is not None and ring.writer_state is WriterState.BUSY,
        db_damaged=ring is not None and ring.writer_state is WriterState.DAMAGED,
        background=database.background if database else (),
        limits=database.limits if database else (),
    )
    problems = list_reasons(vitals, now_ms=now_ms, disk_free_bytes_min=settings.database.disk_free_bytes_min)
    path = settings.database_path
    return Overview(
        state=overall_state(problems, processes),
        reasons=problems,
        processes=processes,
        database=database,
        ring=ring,
        database_bytes=_size(path),
        wal_bytes=_size(log_path(path)),
        disk_free_bytes=free,
    )


def overall_state(problems: list[Reason], processes: list[ProcessInfo]) -> str:
    """Down when events cannot be accepted: no ring, or no ingest worker. Pure."""
    if Reason.RING_MISSING in problems or not any(process.name == "ingest worker" for process in processes):
        return DOWN
    return DEGRADED if problems else WELL


def _read_database(settings: Settings, now_ms: int) -> StoredState | None:
    if not settings.database_path.exists():
        return None
    try:
        with (
            contextlib.closing(connection.open_reader(settings.database_path)) as db,
            connection.time_limit(db, QUERY_MS_MAX),
        ):
            check_database(db)
            projects, good = all_project_ids(db), backups.last_good(db)
            return StoredState(
                background=tuple(troubles(process_states(db), now_ms)),
                limits=tuple(list_usages(db, settings.limits, now_ms)),
                counts={
                    name: outcomes_since(db, projects, minute_of(now_ms) - length_ms)
                    for name, length_ms in WINDOWS.items()
                },
                backup=BackupState(
                    good.started_at_ms if good else None, backups.last_proven_at_ms(db), backups.failing(db)
                ),
                deliveries=DeliveryCounts(
                    count_deliveries(db, DeliveryState.WAITING), count_deliveries(db, DeliveryState.FAILED)
                ),
            )
    except (BloopError, db_errors.Error):
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
