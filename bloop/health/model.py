"""Decides whether bloop is healthy. Pure, so that the banners and `/ready` agree."""

from __future__ import annotations

from typing import NamedTuple

from bloop.base.reasons import Reason
from bloop.issues.limits.read import LimitUsage

WRITER_STALE_MS = 10_000  # its heartbeat comes at least every two seconds, also while it waits for disk or lock


class Vitals(NamedTuple):
    """The values read. Ring and writer are None when the ring is missing."""

    db_ok: bool
    disk_free_bytes: int | None  # None: unknown
    ring_fill: float | None
    writer_seen_ms: int | None
    writer_disk_full: bool = False
    writer_busy: bool = False
    db_damaged: bool = False  # as the writer or this process met it; `background` has what the others met
    background: tuple[Reason, ...] = ()  # problems that background processes report, or their silence
    limits: tuple[LimitUsage, ...] = ()  # that projects are near or have met, the fullest first


def list_reasons(vitals: Vitals, *, now_ms: int, disk_free_bytes_min: int) -> list[Reason]:
    """All problems, worst first; empty when bloop is healthy."""
    free = vitals.disk_free_bytes
    is_active = {
        Reason.DB_UNREACHABLE: not vitals.db_ok,
        Reason.DB_DAMAGED: vitals.db_damaged,
        Reason.DISK_FULL: vitals.writer_disk_full or (free is not None and free < disk_free_bytes_min),
        Reason.RING_MISSING: vitals.ring_fill is None,
        Reason.WRITER_STALE: vitals.ring_fill is not None and now_ms - (vitals.writer_seen_ms or 0) > WRITER_STALE_MS,
        Reason.WRITER_BUSY: vitals.writer_busy,
        Reason.LIMIT_MET: any(usage.is_met for usage in vitals.limits),
    }
    is_active |= dict.fromkeys(vitals.background, True)
    return [reason for reason in Reason if is_active.get(reason)]
