"""Finds the running processes of one installation by the files they hold open: ring, database, pid file.

This needs no answer from them, and works under `bloop up` and under systemd. Only root sees processes of other users.

The units of systemd have user namespaces of their own (PrivateUsers=), which hide a process's open files even from the
same user outside. Its locks stay visible: /proc/locks names every process that uses the ring or has the database open
(sqlite.org/walformat.html, 2.3: each connection holds a lock on the `-shm` file).
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
NAME_CHARS_MAX = 15  # the kernel cuts names to this (prctl(2), PR_SET_NAME)
KINDS = ("supervisor", "writer", "ingest", "dashboard", "alerts", "retention")
_KIND_OF = {f"{NAME_PREFIX}{kind}"[:NAME_CHARS_MAX]: kind for kind in KINDS}
UNREADABLE = (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, OSError)


class ProcessInfo(NamedTuple):
    name: str  # supervisor, writer, ingest, ingest worker …
    pid: int
    started_s: float  # Unix time
    cpu_s: float
    pss_bytes: int | None  # with its share of shared pages; None: we may not read it


def find_processes(settings: Settings) -> list[ProcessInfo]:
    """Every process of the installation with these settings, oldest first."""
    lock_owners = _lock_owners(settings)
    by_pid = {process.pid: process for process in psutil.process_iter() if _uses_files(process, settings, lock_owners)}
    for process in list(by_pid.values()):
        for parent in _parents(process):
            by_pid.setdefault(parent.pid, parent)
    infos = [info for process in by_pid.values() if (info := _info(process)) is not None]
    return sorted(infos, key=lambda info: (info.started_s, info.pid))


def _uses_files(process: psutil.Process, settings: Settings, lock_owners: set[int]) -> bool:
    if not _name(process).startswith(NAME_PREFIX):
        return False
    with contextlib.suppress(*UNREADABLE):
        try:
            if _ring_path(settings) in Path(f"/proc/{process.pid}/maps").read_text():
                return True
            return any(file.path == str(settings.database_path) for file in process.open_files())
        except (PermissionError, psutil.AccessDenied):
            return process.pid in lock_owners and process.uids().effective == os.geteuid()
    return False


def _ring_path(settings: Settings) -> str:
    return f"/dev/shm{settings.ring_name}"  # noqa: S108 - the kernel shows it there


def _lock_owners(settings: Settings) -> set[int]:
    """Processes with a lock on the ring or on the database."""
    inodes = set()
    for path in (_ring_path(settings), f"{settings.database_path}-shm"):
        with contextlib.suppress(OSError):
            inodes.add(os.stat(path).st_ino)
    try:
        return parse_lock_owners(inodes, Path("/proc/locks").read_text())
    except OSError:  # a sandbox may have no such file
        return set()


def parse_lock_owners(inodes: set[int], locks: str) -> set[int]:
    """Processes that hold a POSIX lock on one of these inodes, from the text of /proc/locks (proc(5)).

    On overlayfs and btrfs the device in it differs from the one of stat(2), so it is not compared.
    """
    pids = set()
    for line in locks.splitlines():
        _, kind, *_, pid, file, _, _ = line.split()
        if kind == "POSIX" and int(file.rpartition(":")[2]) in inodes:  # a waiting process has "->" as its kind
            pids.add(int(pid))
    return pids


def _parents(process: psutil.Process) -> Iterator[psutil.Process]:
    """Its parents among bloop's processes: Gunicorn's masters and the supervisor hold no files themselves."""
    with contextlib.suppress(*UNREADABLE):
        for parent in process.parents():
            if _name(parent).startswith(NAME_PREFIX):
                yield parent


def _name(process: psutil.Process) -> str:
    """Its name in the kernel; the command line is useless, because forks share their supervisor's."""
    try:
        return Path(f"/proc/{process.pid}/comm").read_text().strip()
    except OSError:
        return ""


def _info(process: psutil.Process) -> ProcessInfo | None:
    try:
        times = process.cpu_times()
        kind = _KIND_OF.get(_name(process), "?")
        is_worker = _name(psutil.Process(process.ppid())) == _name(process)  # of a Gunicorn master of the same name
        name = f"{kind} worker" if is_worker else kind
        return ProcessInfo(name, process.pid, process.create_time(), times.user + times.system, _pss_bytes(process))
    except UNREADABLE:
        return None


def _pss_bytes(process: psutil.Process) -> int | None:
    """Pss from /proc/PID/smaps_rollup: summed over processes it is the memory the machine really uses."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)
