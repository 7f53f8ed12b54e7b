"""Chooses values for the settings that are not set, from the size of the machine.

TUNING-1  A setting that is set is used as it is. Only unset settings are chosen here.
TUNING-2  The result depends on cores, memory, shared memory and the settings only: the same machine always gets the
    same values.
TUNING-3  The ring fits into /dev/shm with an eighth to spare, and a lane accepts the largest event that the settings
    allow. The capacity is shared out among the lanes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from bloop.base.machine import Machine

MIB = 1024 * 1024
EXTRA_LANES = 2  # the dashboard's, and one for the moment when old and new workers overlap
LANE_HEADS_BYTES = 40 * 1024  # per lane, beside its room for records (ring/layout.py)
RECORD_KIB = 2  # one and a half times a record of usual size
RECORDS = 8192  # lanes of 4 MiB for two workers: they hold what the writer can store in time (measured), bursts spill
LANE_KIB_MIN = 256
LANES_PER_EVENT = 4  # a record may take a quarter of its lane (ring/layout.py)


class RequestedTuning(NamedTuple):
    """The values in the settings; 0 = not set."""

    workers: int = 0
    records: int = 0
    threads: int = 0
    readers: int = 0
    event_bytes_max: int = 0


class Size(NamedTuple):
    """The values for a machine with less than `below_bytes` of memory."""

    name: str
    below_bytes: float
    workers_max: int
    threads: int
    readers: int
    writer_cache_kib: int


# A machine sold with 512 MB or 1 GB reports a little less; the limits lie above that.
SIZES = (
    Size("less than 640 MiB of memory", 640 * MIB, 1, 4, 2, 4096),
    Size("less than 1.25 GiB of memory", 1280 * MIB, 2, 8, 4, 8192),
    Size("enough memory", math.inf, 4, 8, 4, 8192),
)


class TunedValue(NamedTuple):
    """One value and its reason, for people."""

    setting: str
    value: int
    why: str


class Tuning(NamedTuple):
    ingest_workers: int
    lane_kib: int
    dashboard_threads: int
    read_connections: int
    writer_cache_kib: int
    choices: tuple[TunedValue, ...]


def tuning(machine: Machine, asked: RequestedTuning) -> Tuning:
    """The requested values, and chosen ones for the rest."""
    size = next(size for size in SIZES if machine.memory_bytes < size.below_bytes)
    workers = _workers(machine, asked.workers, size)
    lanes = workers.value + EXTRA_LANES
    ring = _ring(machine, asked, lanes)
    threads = _unless_set("server.threads", asked.threads, size.threads, size)
    readers = _unless_set("database.pool_size", asked.readers, size.readers, size)
    cache = TunedValue("(the writer's page cache, KiB)", size.writer_cache_kib, size.name)
    choices = (workers, ring, threads, readers, cache)
    return Tuning(workers.value, ring.value * RECORD_KIB // lanes, threads.value, readers.value, cache.value, choices)


def records_min(lanes: int, event_bytes_max: int) -> int:
    """The smallest capacity with which events of this size fit into each lane."""
    return -(-event_bytes_max * LANES_PER_EVENT * lanes // (1024 * RECORD_KIB))


def _unless_set(key: str, asked: int, chosen: int, size: Size) -> TunedValue:
    return TunedValue(key, asked, "set") if asked else TunedValue(key, chosen, size.name)


def _workers(machine: Machine, asked: int, size: Size) -> TunedValue:
    if asked:
        return TunedValue("server.workers", asked, "set")
    cores = max(1, math.floor(machine.cores + 0.5))
    if cores > size.workers_max:
        return TunedValue(
            "server.workers", size.workers_max, f"{cores} cores, at most {size.workers_max} with {size.name}"
        )
    return TunedValue("server.workers", cores, "one per core")


def _ring(machine: Machine, asked: RequestedTuning, lanes: int) -> TunedValue:
    key, needed, least = "ingest.channel_capacity", records_min(lanes, asked.event_bytes_max), lanes * LANE_KIB_MIN
    if asked.records:
        return TunedValue(key, asked.records, "set")
    records, why = max(RECORDS, least // RECORD_KIB), "more than that spills to disk"
    while machine.shm_bytes and not _fits(records, lanes, machine.shm_bytes) and records * RECORD_KIB >= 2 * least:
        records, why = records // 2, f"{lanes} lanes must fit into {machine.shm_bytes // MIB} MiB of /dev/shm"
    return TunedValue(key, records, why) if records >= needed else TunedValue(key, needed, "the largest event must fit")


def _fits(records: int, lanes: int, shm_bytes: int) -> bool:
    return records * RECORD_KIB * 1024 + lanes * LANE_HEADS_BYTES <= shm_bytes * 7 // 8
