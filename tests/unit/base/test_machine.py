"""Files of a kernel, and what is read from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bloop.base.machine import measure

MIB = 1024 * 1024
NO_LIMIT_V1 = str((1 << 63) - 4096)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2, 3})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, {"proc/meminfo": "MemFree: 1 kB\nMemTotal:        8388608 kB\n", "proc/self/cgroup": "0::/\n"})
    return tmp_path


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def found(root: Path, *, is_all_of_bloop: bool = False) -> tuple[float, int]:
    machine = measure(is_all_of_bloop=is_all_of_bloop, root=root)
    return machine.cores, machine.memory_bytes // MIB


def test_without_limits_it_is_the_whole_machine(root: Path):
    assert found(root) == (4, 8192)


def test_the_limits_of_a_container_with_the_newer_control_groups_hold(root: Path):
    put(root, {"sys/fs/cgroup/memory.max": "536870912\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"})

    assert found(root) == (1.5, 512)


def test_words_for_no_limit_are_none(root: Path):
    put(root, {"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "max 100000\n"})

    assert found(root) == (4, 8192)


def test_the_tightest_of_the_groups_above_holds(root: Path):
    put(
        root,
        {
            "proc/self/cgroup": "0::/system.slice/pod/bloop\n",
            "sys/fs/cgroup/system.slice/memory.max": "max",
            "sys/fs/cgroup/system.slice/pod/memory.max": str(700 * MIB),
            "sys/fs/cgroup/system.slice/pod/bloop/memory.max": str(900 * MIB),
            "sys/fs/cgroup/system.slice/cpu.max": "200000 100000",
        },
    )

    assert found(root) == (2, 700)


def test_the_older_control_groups_are_read(root: Path):
    put(
        root,
        {
            "proc/self/cgroup": "5:memory:/docker/c0ffee\n3:cpu,cpuacct:/docker/c0ffee\n0::/docker/c0ffee\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": NO_LIMIT_V1,
            "sys/fs/cgroup/memory/docker/c0ffee/memory.limit_in_bytes": str(256 * MIB),
            "sys/fs/cgroup/cpu,cpuacct/docker/c0ffee/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu,cpuacct/docker/c0ffee/cpu.cfs_period_us": "100000",
        },
    )

    assert found(root) == (0.5, 256)


def test_a_path_that_only_the_host_sees_leads_to_the_root_of_what_is_mounted(root: Path):
    put(
        root,
        {
            "proc/self/cgroup": "5:memory:/docker/c0ffee\n3:cpu:/docker/c0ffee\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(256 * MIB),
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
    )

    assert found(root) == (4, 256)


def test_a_limit_on_one_service_of_several_says_nothing_about_all(root: Path):
    put(
        root,
        {
            "proc/self/cgroup": "0::/bloop.slice/bloop-ingest.service\n",
            "sys/fs/cgroup/bloop.slice/memory.max": str(1024 * MIB),
            "sys/fs/cgroup/bloop.slice/bloop-ingest.service/memory.max": str(400 * MIB),
        },
    )

    assert found(root) == (4, 1024)
    assert found(root, is_all_of_bloop=True) == (4, 400)


@pytest.mark.parametrize("text", ["", "\n", "lots", "-1", "0 0", "100000"])
def test_what_cannot_be_read_is_no_limit(root: Path, text: str):
    put(root, {"sys/fs/cgroup/cpu.max": text, "sys/fs/cgroup/memory.max": text if not text.strip("0 1") else "-"})

    assert found(root)[0] == 4


def test_a_unit_that_does_not_see_the_files_asks_the_kernel(tmp_path: Path):
    machine = measure(root=tmp_path)

    assert (machine.cores, machine.shm_bytes) == (4, 0)
    assert machine.memory_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_shared_memory_is_measured_where_it_is():
    disk = os.statvfs("/dev/shm")

    assert measure().shm_bytes == disk.f_blocks * disk.f_frsize
