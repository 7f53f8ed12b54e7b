"""Is bloop well? The one read, and the decision, which is pure so that the pages' banner and `/ready` agree."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import apsw

WRITER_STALE_MS = 10_000  # it says it lives at least every two seconds, also while it waits for disk or lock


class Reason(StrEnum):
    """What is wrong, in words that stay the same. Worst first."""

    DB_UNREACHABLE = "db_unreachable"
    DISK_FULL = "disk_full"
    RING_MISSING = "ring_missing"
    WRITER_STALE = "writer_stale"
    WRITER_BUSY = "writer_busy"  # it is up and cannot get the database's write lock
    # Below, everything is still received and stored.
    ALERTS_STALE = "alerts_stale"
    RETENTION_STALE = "retention_stale"
    DELIVERIES_FAILING = "deliveries_failing"
    BACKUP_FAILING = "backup_failing"


STOPS_SERVICE = frozenset(
    {Reason.DB_UNREACHABLE, Reason.DISK_FULL, Reason.RING_MISSING, Reason.WRITER_STALE, Reason.WRITER_BUSY}
)  # while one of these holds, `/ready` answers 503


class Vitals(NamedTuple):
    """What was looked at. Ring and writer are None when the ring is not there."""

    db_ok: bool
    disk_free_bytes: int | None  # None: the file system does not say
    ring_fill: float | None
    writer_seen_ms: int | None
    writer_disk_full: bool = False
    writer_busy: bool = False
    background: tuple[Reason, ...] = ()  # what the processes in the background say, or their silence


_SELECT_ONE_ROW = "SELECT id FROM projects LIMIT 1"


def database_answers(db: apsw.Connection) -> bool:
    """A real read of a real table; raises what SQLite raises."""
    db.execute(_SELECT_ONE_ROW).fetchone()
    return True


def reasons(vitals: Vitals, *, now_ms: int, disk_free_bytes_min: int) -> list[Reason]:
    """Everything that is wrong, worst first; empty when bloop is well."""
    free = vitals.disk_free_bytes
    found = {
        Reason.DB_UNREACHABLE: not vitals.db_ok,
        Reason.DISK_FULL: vitals.writer_disk_full or (free is not None and free < disk_free_bytes_min),
        Reason.RING_MISSING: vitals.ring_fill is None,
        Reason.WRITER_STALE: vitals.ring_fill is not None and now_ms - (vitals.writer_seen_ms or 0) > WRITER_STALE_MS,
        Reason.WRITER_BUSY: vitals.writer_busy,
    }
    found |= dict.fromkeys(vitals.background, True)
    return [reason for reason in Reason if found.get(reason)]
