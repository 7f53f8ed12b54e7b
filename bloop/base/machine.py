"""What this process may use of the machine: cores, memory, shared memory, as the kernel and its control groups say.

Both generations of control groups are read, and of each every group above ours: the tightest limit holds. In a
container our path may be one that only the host sees; the root of what is mounted is ours then, and it is always read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_CGROUPS = "sys/fs/cgroup"


class Machine(NamedTuple):
    cores: float  # fractions where a quota says so
    memory_bytes: int
    shm_bytes: int  # of /dev/shm as a whole; 0 = unknown


def measure(*, is_all_of_bloop: bool = False, root: Path = Path("/")) -> Machine:
    """The machine as this process is allowed to see it; `root` is another one in tests.

    A limit on a systemd service is for one process of bloop where each has a service of its own, and says nothing about
    the others, so it is left out unless this process starts all of them.
    """
    cores: float = len(os.sched_getaffinity(0))
    memory_bytes: float = _total_memory(root)
    for folder in _groups(root, is_all_of_bloop=is_all_of_bloop):
        cores = min(cores, _cores(folder))
        memory_bytes = min(memory_bytes, _memory(folder))
    return Machine(cores, int(memory_bytes), _size(root / "dev/shm"))


def _groups(root: Path, *, is_all_of_bloop: bool) -> Iterator[Path]:
    """The folders of our control groups and of those above them, whether they exist or not."""
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
    """From `QUOTA PERIOD` in one file, or in two; a quota that is no number, or negative, is none."""
    quota, period = ([*_words(folder / "cpu.max"), "", ""])[:2]
    if not quota:
        quota, period = (([*_words(folder / f"cpu.cfs_{name}_us"), ""])[0] for name in ("quota", "period"))
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else math.inf


def _total_memory(root: Path) -> int:
    for line in _lines(root / "proc/meminfo"):
        name, _, rest = line.partition(":")
        if name == "MemTotal":
            return int(rest.split()[0]) * 1024
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
