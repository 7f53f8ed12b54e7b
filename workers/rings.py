"""The ring that the writer works on, present or new, and the records that older rings left.

RINGS-1  A ring of another geometry (the number of workers changed, or the room per lane) or of an older layout (after
    an upgrade) is drained as it is, records and counts, then replaced. No other process sees it meanwhile: it has no
    heartbeat of this writer's.
RINGS-2  What rings that are gone have spilled is stored beside what comes in, then their accounts are closed: by the
    writer, once it runs, for that needs the write lock, and another process may hold that for a long time.
RINGS-3  One writer per spill folder. Another bloop's records there would look like those of a ring that is gone.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from bloop.base import clock
from bloop.base.config import ProjectLimits, Settings
from bloop.base.errors import ConfigError, RingError
from bloop.db.engine import Db
from bloop.pipeline import lost_rings
from bloop.pipeline.kinds import KindStore
from bloop.pipeline.store import Store
from bloop.ring import Consumer, Segment, spill

log = logging.getLogger(__name__)

_DRAIN_RECORDS = 1000
_DRAIN_BYTES = 4 * 1024 * 1024

MakeKinds = Callable[[Db, ProjectLimits], Iterable[KindStore]]


class WriterRing(NamedTuple):
    """The ring, consumer and store of a writer; `store` knows the positions of everything `consumer` reads."""

    segment: Segment
    consumer: Consumer
    store: Store


def open_ring(settings: Settings, db: Db, make_kinds: MakeKinds, handles: ExitStack) -> WriterRing:
    """The ring, ready to be read; LaneUnavailable while another writer has it.

    Raises:
        RingMismatch: it is of another geometry and in use, or no ring of this bloop.
        RingError: no room in shared memory.
        ConfigError: another bloop spills into this folder.
    """
    folder = settings.spill_folder
    fd = _open_spill_folder(folder) if settings.ingest.spill_bytes_max or folder.exists() else None
    if fd is not None:
        handles.callback(os.close, fd)
    segment = _create(settings, db, make_kinds)
    handles.callback(segment.close)
    consumer = Consumer.claim(segment, folder)
    handles.callback(consumer.close)
    if fd is not None:
        _lock(fd, folder)  # only now: a second writer of this ring is to be told so
    store = Store(db, segment.ring_id, make_kinds(db, settings.limits), orphans=consumer.orphans)
    consumer.resume(store.positions())
    spill.sync_folder(folder)  # before positions in it are forgotten
    return WriterRing(segment, consumer, store)


def close_accounts(db: Db, ring: WriterRing) -> None:
    """Of every ring that is gone and of which nothing is left to read (RINGS-2).

    Raises:
        db_errors.Error: nothing was changed.
    """
    keep = {ring.segment.ring_id} | {orphan.ring_id for orphan in ring.consumer.orphans}
    if lost := lost_rings.close_accounts(db, keep, clock.now_ms()):
        log.warning("%d records were lost with the ring that held them", lost, extra={"action": "ring_lost"})


def _create(settings: Settings, db: Db, make_kinds: MakeKinds) -> Segment:
    geometry = {"lane_count": settings.lane_count, "lane_bytes": settings.lane_bytes}
    if (old := _attach_existing(settings.ring_name)) is not None:
        with closing(old):
            stat = old.stat()
            is_in_use = stat.consumer_claimed or any(lane.claimed for lane in stat.lanes)
            if not is_in_use and not old.is_laid_out(**geometry):
                _drain(old, db, make_kinds(db, settings.limits))
    return Segment.create(settings.ring_name, **geometry)


def _attach_existing(name: str) -> Segment | None:
    """The existing ring; None for an unreadable one, which `Segment.create` then reports."""
    try:
        return Segment.attach_to_drain(name)
    except RingError:
        return None


def _drain(old: Segment, db: Db, kinds: Iterable[KindStore]) -> None:
    """Store what is in its lanes, exactly once. What it has spilled becomes an orphan of it, for later (RINGS-1)."""
    log.info("storing %d records of the ring as it was", old.stat().pending_records, extra={"action": "ring_drained"})
    with closing(Consumer.claim(old)) as consumer:
        store = Store(db, old.ring_id, kinds)
        consumer.resume(store.positions())
        while (batch := consumer.read(_DRAIN_RECORDS, _DRAIN_BYTES)).positions:
            store.store(batch.records, batch.positions, consumer.cells(), now_ms=clock.now_ms())
            consumer.release(batch)
        store.store([], {}, consumer.cells(), now_ms=clock.now_ms())


def _open_spill_folder(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError("ingest.spill_dir", f"cannot use {folder}: {error.strerror}") from error


def _lock(fd: int, folder: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError("ingest.spill_dir", f"another bloop spills into {folder}; each needs its own") from None
