"""Disk space: how much is free, whether it is enough, and when it will run out.

DISK-1  Storing stops below `database.disk_free_bytes_min` of free space and resumes only with a quarter more. Between
    the two the state does not change, so deletions, checkpoints and other programs that use the last megabytes do not
    make it flap.
DISK-2  Retention needs the reserved space while the disk counts as full: its deletions write a few MiB of log. So the
    log must not use up that space: its pages may have to be appended to the database before their space is reusable.
    The closer the disk is to full, the smaller the writer keeps the log.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bloop.base.clock import DAY_MS
from bloop.db.checkpoint import log_path
from bloop.db.engine import Db
from bloop.db.sizes import count_pages

PAGE_BYTES = 4096
WAL_PAGES_MIN = 256  # 1 MiB
GROWTH_DAYS = 14  # of samples from which growth is computed
SPAN_MS_MIN = DAY_MS  # samples closer together give no daily growth
GROWTH_BYTES_MIN = 64 * 1024  # per day; less counts as no growth


def free_bytes(path: Path) -> int | None:
    """Free space for this user on the file system of the database; None if the system does not report it."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def is_full(free: int | None, minimum: int, *, was_full: bool) -> bool:
    """Whether the disk counts as full (DISK-1). Pure."""
    return free is not None and free < (minimum + minimum // 4 if was_full else minimum)


def is_low(path: Path, minimum: int) -> bool:
    """Whether space is needed now: free space is below the limit at which storing resumes."""
    return is_full(free_bytes(path), minimum, was_full=True)


def wal_pages_max(free: int | None, minimum: int, *, usually: int) -> int:
    """The number of pages in the log at which the writer tries to empty it (DISK-2). Pure."""
    if free is None:
        return usually
    return max(WAL_PAGES_MIN, min(usually, (free - minimum) // PAGE_BYTES // 2))


class Sizes(NamedTuple):
    database_bytes: int
    reusable_bytes: int  # free inside the file
    wal_bytes: int
    disk_free_bytes: int | None


def sizes(db: Db, path: Path) -> Sizes:
    """The sizes of the database of `db` at `path`. They are read by name, without opening the file: closing it would
    drop SQLite's locks."""
    pages, wal_bytes = count_pages(db), 0
    with contextlib.suppress(OSError):
        wal_bytes = log_path(path).stat().st_size
    return Sizes(pages.total_bytes, pages.free_bytes, wal_bytes, free_bytes(path))


class UsedSpace(NamedTuple):
    """The used bytes of the database at a time."""

    at_ms: int
    used_bytes: int


def growth_per_day(samples: Sequence[UsedSpace]) -> int | None:
    """Bytes per day between the first and last recent sample (oldest first); negative when it shrinks, None while the
    samples span less than a day. Pure."""
    recent = [sample for sample in samples if sample.at_ms > samples[-1].at_ms - GROWTH_DAYS * DAY_MS]
    if not recent or recent[-1].at_ms - recent[0].at_ms < SPAN_MS_MIN:
        return None
    return (recent[-1].used_bytes - recent[0].used_bytes) * DAY_MS // (recent[-1].at_ms - recent[0].at_ms)


def days_left(now: Sizes, growth: int | None, minimum: int) -> int | None:
    """Days until storing stops at this growth; None without growth or if it is unknown. Pure."""
    if growth is None or growth < GROWTH_BYTES_MIN or now.disk_free_bytes is None:
        return None
    return max(0, now.disk_free_bytes - minimum + now.reusable_bytes) // growth
