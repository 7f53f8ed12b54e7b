"""The running processes of one installation, found by what they hold open: its ring, its database, its pid file.

Works without any of them answering, under `bloop up` and under systemd alike. Another user's processes are only seen by
root.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from bloop.config import Settings

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
    found = {process.pid: process for process in psutil.process_iter() if _holds(process, settings)}
    for process in list(found.values()):
        for parent in _parents(process):
            found.setdefault(parent.pid, parent)
    members = [_member(process) for process in found.values()]
    return sorted((m for m in members if m is not None), key=lambda m: (m.started_s, m.pid))


def _holds(process: psutil.Process, settings: Settings) -> bool:
    if not _name(process).startswith(NAME_PREFIX):
        return False
    shared = f"/dev/shm{settings.ring_name}"  # noqa: S108 - where the kernel shows it
    with contextlib.suppress(*UNREADABLE):
        if shared in Path(f"/proc/{process.pid}/maps").read_text():
            return True
        return any(file.path == str(settings.database_path) for file in process.open_files())
    return False


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
