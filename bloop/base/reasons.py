"""The reasons why bloop is unhealthy: stable names in `/health`, `/metrics`, the log and the banners."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why bloop is unhealthy; stable names, worst first."""

    DB_UNREACHABLE = "db_unreachable"
    DB_DAMAGED = "db_damaged"  # a process met a damaged page
    DISK_FULL = "disk_full"
    RING_MISSING = "ring_missing"
    WRITER_STALE = "writer_stale"
    WRITER_BUSY = "writer_busy"  # it runs but cannot get the database's write lock
    # Below, everything is still received and stored.
    ALERTS_STALE = "alerts_stale"
    RETENTION_STALE = "retention_stale"
    DELIVERIES_FAILING = "deliveries_failing"
    BACKUP_FAILING = "backup_failing"
    LIMIT_MET = "limit_met"  # a project keeps as much as [limits] allows


STOPS_SERVICE = frozenset(
    {
        Reason.DB_UNREACHABLE,
        Reason.DB_DAMAGED,
        Reason.DISK_FULL,
        Reason.RING_MISSING,
        Reason.WRITER_STALE,
        Reason.WRITER_BUSY,
    }
)  # while one of these holds, `/ready` answers 503
