"""The running processes of one installation, found by what they hold open: its ring, its database, its pid file.

Works without any of them answering, under `bloop up` and under systemd alike. Another user's processes are only seen by
root.

The units of systemd have user namespaces of their own (PrivateUsers=), and what a process there has open is hidden even
from the same user outside. Which files it has locked is not: /proc/locks names every process that uses the ring or has
the database open (sqlite.org/walformat.html, 2.3: each connection holds a lock on the `-shm` file).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from bloop.base.config import Settings

NAME_PREFIX = "bloop-"
NAME_CHARS_MAX = 15  # what the kernel keeps of a name (prctl(2), PR_SET_NAME)
KINDS = ("supervisor", "writer", "ingest", "dashboard", "alerts", "retention")
_KIND_OF = {f"{NAME_PREFIX}{kind}"[:NAME_CHARS_MAX]: kind for kind in KINDS}
UNREADABLE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError)


class Member(NamedTuple):
    name: str  # supervisor, writer, ingest, ingest worker …
    pid: int
    started_s: float  # Unix time
    cpu_s: float
    pss_bytes: int | None  # its fair share of shared pages; None: not ours to read


def family(settings: Settings) -> list[Member]:
    """Every process that works on these settings, oldest first."""
    lockers = _lockers(settings)
    found = {process.pid: process for process in psutil.process_iter() if _holds(process, settings, lockers)}
    for process in list(found.values()):
        for parent in _parents(process):
            found.setdefault(parent.pid, parent)
    members = [_member(process) for process in found.values()]
    return sorted((m for m in members if m is not None), key=lambda m: (m.started_s, m.pid))


def _holds(process: psutil.Process, settings: Settings, lockers: set[int]) -> bool:
    if not _name(process).startswith(NAME_PREFIX):
        return False
    with contextlib.suppress(*UNREADABLE):
        try:
            if _shared(settings) in Path(f"/proc/{process.pid}/maps").read_text():
                return True
            return any(file.path == str(settings.database_path) for file in process.open_files())
        except (PermissionError, psutil.AccessDenied):
            return process.pid in lockers and process.uids().effective == os.geteuid()
    return False


def _shared(settings: Settings) -> str:
    return f"/dev/shm{settings.ring_name}"  # noqa: S108 - where the kernel shows it


def _lockers(settings: Settings) -> set[int]:
    """Processes with a lock on the ring or on the database."""
    inodes = set()
    for path in (_shared(settings), f"{settings.database_path}-shm"):
        with contextlib.suppress(OSError):
            inodes.add(os.stat(path).st_ino)
    try:
        return lockers_of(inodes, Path("/proc/locks").read_text())
    except OSError:  # a sandbox may have none
        return set()


def lockers_of(inodes: set[int], locks: str) -> set[int]:
    """Processes that hold a POSIX lock on one of these files, by the text of /proc/locks (proc(5)).

    The device it names is not the one stat(2) gives on overlayfs and btrfs, so it is not compared.
    """
    pids = set()
    for line in locks.splitlines():
        _, kind, *_, pid, file, _, _ = line.split()
        if kind == "POSIX" and int(file.rpartition(":")[2]) in inodes:  # "->" there: one that waits
            pids.add(int(pid))
    return pids


def _parents(process: psutil.Process) -> Iterator[psutil.Process]:
    """Gunicorn's masters and the supervisor hold nothing themselves."""
    with contextlib.suppress(*UNREADABLE):
        for parent in process.parents():
            if _name(parent).startswith(NAME_PREFIX):
                yield parent


def _name(process: psutil.Process) -> str:
    """What the kernel calls it; forks share their supervisor's command line."""
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


def _member(process: psutil.Process) -> Member | None:
    try:
        times = process.cpu_times()
        kind = _KIND_OF.get(_name(process), "?")
        is_worker = _name(psutil.Process(process.ppid())) == _name(process)  # of a Gunicorn master of the same name
        name = f"{kind} worker" if is_worker else kind
        return Member(name, process.pid, process.create_time(), times.user + times.system, _pss_bytes(process))
    except UNREADABLE:
        return None


def _pss_bytes(process: psutil.Process) -> int | None:
    """/proc/PID/smaps_rollup, whose Pss adds up to what a machine really uses."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)
