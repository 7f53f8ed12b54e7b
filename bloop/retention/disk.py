"""Room on the disk: how much there is, whether it is enough, and when it will be gone.

D1  Storing stops below `database.disk_free_bytes_min` and begins again only with a quarter more than that free. Between
    the two nothing changes, so what deleting, checkpoints and other programs do to the last megabytes does not make the
    state flap.
D2  What is kept free is the room in which retention deletes while the disk counts as full: it needs a few MiB of log.
    So the log must not take that room: what it holds may have to be appended to the database before it can be used
    again. The nearer the disk is to full, the less the writer lets the log grow.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apsw

from bloop.base.clock import DAY_MS

PAGE_BYTES = 4096
WAL_PAGES_MIN = 256  # 1 MiB
GROWTH_DAYS = 14  # looked back at
SPAN_MS_MIN = DAY_MS  # two samples closer together say nothing about a day
GROWTH_BYTES_MIN = 64 * 1024  # a day; less is standing still


def free_bytes(path: Path) -> int | None:
    """What this user may still write on the file system of the database; None when it does not say."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def is_full(free: int | None, minimum: int, *, was_full: bool) -> bool:
    """D1. Pure."""
    return free is not None and free < (minimum + minimum // 4 if was_full else minimum)


def is_low(path: Path, minimum: int) -> bool:
    """Whether room is wanted now: the disk counts as full, or will before it counts as free again."""
    return is_full(free_bytes(path), minimum, was_full=True)


def wal_pages_max(free: int | None, minimum: int, *, usually: int) -> int:
    """How many pages the log may have before the writer tries to empty it (D2). Pure."""
    if free is None:
        return usually
    return max(WAL_PAGES_MIN, min(usually, (free - minimum) // PAGE_BYTES // 2))


class Sizes(NamedTuple):
    database_bytes: int
    reusable_bytes: int  # free inside the file
    wal_bytes: int
    disk_free_bytes: int | None


def sizes(db: apsw.Connection, path: Path) -> Sizes:
    """Of the database of `db`, which is at `path`. The file is asked for its size by name, never opened: closing it
    would drop SQLite's locks."""
    page_bytes, pages, free = (int(str(db.pragma(name))) for name in ("page_size", "page_count", "freelist_count"))
    wal_bytes = 0
    with contextlib.suppress(OSError):
        wal_bytes = path.with_name(f"{path.name}-wal").stat().st_size
    return Sizes(pages * page_bytes, free * page_bytes, wal_bytes, free_bytes(path))


class Used(NamedTuple):
    """What of the database was in use at a time."""

    at_ms: int
    used_bytes: int


def growth_per_day(samples: Sequence[Used]) -> int | None:
    """Bytes a day between the first and the last sample, oldest first; negative when it shrinks, None when they do not
    say. Pure."""
    recent = [one for one in samples if one.at_ms > samples[-1].at_ms - GROWTH_DAYS * DAY_MS]
    if not recent or recent[-1].at_ms - recent[0].at_ms < SPAN_MS_MIN:
        return None
    return (recent[-1].used_bytes - recent[0].used_bytes) * DAY_MS // (recent[-1].at_ms - recent[0].at_ms)


def days_left(now: Sizes, growth: int | None, minimum: int) -> int | None:
    """Days until storing stops if it goes on like this; None when it does not grow, or nobody knows. Pure."""
    if growth is None or growth < GROWTH_BYTES_MIN or now.disk_free_bytes is None:
        return None
    return max(0, now.disk_free_bytes - minimum + now.reusable_bytes) // growth
