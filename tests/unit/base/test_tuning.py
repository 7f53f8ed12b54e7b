"""What is chosen for which machine, as a table."""

from __future__ import annotations

import pytest

from bloop.base.config import Ingest, Server, Settings
from bloop.base.machine import Machine
from bloop.base.tuning import LANE_HEADS_BYTES, LANE_KIB_MIN, MIB, RECORD_KIB, RequestedTuning, tuning

GIB = 1024 * MIB
SHM = 64 * MIB  # what Docker gives

TABLE = [
    # cores, memory, shm → workers, lane KiB, threads, readers, writer's cache
    (1, 256 * MIB, SHM, (1, 5461, 4, 2, 4096)),
    (2, 480 * MIB, SHM, (1, 5461, 4, 2, 4096)),
    (8, 512 * MIB, SHM, (1, 5461, 4, 2, 4096)),
    (1, 970 * MIB, SHM, (1, 5461, 8, 4, 8192)),
    (2, 970 * MIB, SHM, (2, 4096, 8, 4, 8192)),
    (8, 1 * GIB, SHM, (2, 4096, 8, 4, 8192)),
    (2, 2 * GIB, SHM, (2, 4096, 8, 4, 8192)),
    (4, 8 * GIB, SHM, (4, 2730, 8, 4, 8192)),
    (64, 256 * GIB, SHM, (4, 2730, 8, 4, 8192)),
    (0.3, 8 * GIB, SHM, (1, 5461, 8, 4, 8192)),  # a quota of a part of a core
    (1.5, 8 * GIB, SHM, (2, 4096, 8, 4, 8192)),
    (4, 8 * GIB, 8 * MIB, (4, 682, 8, 4, 8192)),
    (4, 8 * GIB, 1 * MIB, (4, 341, 8, 4, 8192)),  # too small in any case: the start says so
    (4, 8 * GIB, 0, (4, 2730, 8, 4, 8192)),  # unknown
]


@pytest.mark.parametrize(("cores", "memory_bytes", "shm_bytes", "expected"), TABLE)
def test_what_is_chosen_for_which_machine(cores, memory_bytes, shm_bytes, expected):
    assert tuning(Machine(cores, memory_bytes, shm_bytes), RequestedTuning())[:5] == expected


@pytest.mark.parametrize(("cores", "memory_bytes", "shm_bytes", "_"), TABLE)
def test_what_is_set_is_taken_as_it_is_on_any_machine(cores, memory_bytes, shm_bytes, _):
    """TUNING-1"""
    asked = RequestedTuning(workers=3, records=9000, threads=5, readers=7)

    assert tuning(Machine(cores, memory_bytes, shm_bytes), asked)[:4] == (3, 2 * 9000 // 5, 5, 7)


def test_a_default_that_was_written_down_is_set_too():
    """TUNING-1"""
    given = frozenset({"server.threads", "database.pool_size", "ingest.channel_capacity"})

    machine = Machine(1, 256 * MIB, 4 * MIB)

    assert Settings(machine=machine, given=given).tuning[:4] == (1, 5461, 8, 4)
    assert Settings(machine=machine).tuning[:4] == (1, 682, 4, 2)


def test_a_ring_is_as_large_as_its_setting_says_by_default():
    settings = Settings(machine=Machine(2, 8 * GIB, SHM))

    assert settings.lane_count * settings.tuning.lane_kib == RECORD_KIB * settings.ingest.channel_capacity


def test_many_lanes_share_a_larger_ring():
    chosen = tuning(Machine(2, 8 * GIB, SHM), RequestedTuning(workers=64))

    assert chosen.lane_kib == LANE_KIB_MIN


@pytest.mark.parametrize("shm_mib", [3, 8, 16, 31, 64, 1000])
@pytest.mark.parametrize("cores", [1, 2, 4])
def test_the_ring_fits_into_shared_memory(cores, shm_mib):
    """TUNING-3"""
    chosen = tuning(Machine(cores, 8 * GIB, shm_mib * MIB), RequestedTuning())

    assert (chosen.ingest_workers + 2) * (chosen.lane_kib * 1024 + LANE_HEADS_BYTES) + 4096 < shm_mib * MIB


def test_a_lane_takes_the_largest_event_the_settings_allow():
    """TUNING-3"""
    settings = Settings(ingest=Ingest(max_stack_bytes=MIB), machine=Machine(1, 256 * MIB, 16 * MIB))

    assert settings.tuning.lane_kib == 4152


def test_every_choice_has_its_reason():
    chosen = Settings(server=Server(threads=5), machine=Machine(4, 480 * MIB, 2 * MIB)).tuning

    assert {setting: why for setting, _, why in chosen.choices} == {
        "server.workers": "4 cores, at most 1 with less than 640 MiB of memory",
        "ingest.channel_capacity": "3 lanes must fit into 2 MiB of /dev/shm",
        "server.threads": "set",
        "database.pool_size": "less than 640 MiB of memory",
        "(the writer's page cache, KiB)": "less than 640 MiB of memory",
    }
