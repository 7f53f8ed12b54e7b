"""The cores, memory and shared memory that this process may use, by the kernel and its control groups.

Both versions of control groups are read, and in each every group above ours: the tightest limit counts. In a container
our path may be valid only on the host; then the root of the mount is our group, and it is always read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_CGROUPS = "sys/fs/cgroup"


class Machine(NamedTuple):
    cores: float  # a fraction under a quota
    memory_bytes: int
    shm_bytes: int  # of /dev/shm as a whole; 0 = unknown


def measure(*, is_all_of_bloop: bool = False, root: Path = Path("/")) -> Machine:
    """What this process may use of the machine; tests pass another `root`.

    If each process of bloop is a service of its own, a limit on one service does not apply to the others. So the limit
    of a service is ignored unless this process starts all of bloop.
    """
    cores: float = len(os.sched_getaffinity(0))
    memory_bytes: float = _total_memory(root)
    for folder in _groups(root, is_all_of_bloop=is_all_of_bloop):
        cores = min(cores, _cores(folder))
        memory_bytes = min(memory_bytes, _memory(folder))
    return Machine(cores, int(memory_bytes), _size(root / "dev/shm"))


def _groups(root: Path, *, is_all_of_bloop: bool) -> Iterator[Path]:
    """The folders of our control groups and of those above them; some may not exist."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        mounts = [controllers, *controllers.split(",")] if controllers else [".", "unified"]
        group = PurePosixPath(path)
        own = [] if group.name.endswith(".service") and not is_all_of_bloop else [group]
        for mount in mounts:
            for level in (*own, *group.parents):
                yield root / _CGROUPS / mount / str(level).lstrip("/")


def _memory(folder: Path) -> float:
    return min(_number(folder / "memory.max"), _number(folder / "memory.limit_in_bytes"))


def _cores(folder: Path) -> float:
    """The quota from `QUOTA PERIOD` in one file, or from two files; infinite if it is negative or not a number."""
    quota, period = ([*_words(folder / "cpu.max"), "", ""])[:2]
    if not quota:
        quota, period = (([*_words(folder / f"cpu.cfs_{name}_us"), ""])[0] for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else math.inf


def _total_memory(root: Path) -> int:
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")  # a hardened unit does not see the file


def _size(folder: Path) -> int:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 0
    return disk.f_blocks * disk.f_frsize


def _number(file: Path) -> float:
    words = _words(file)
    return int(words[0]) if words and words[0].isdecimal() else math.inf


def _words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
