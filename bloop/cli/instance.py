"""Which bloop a command looks at: its data, its process, its address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.base.config import Settings
from bloop.base.pid_file import find_running
from bloop.cli.processes import ProcessInfo


class InstanceInfo(NamedTuple):
    """`pid`: of the supervisor, else of the oldest process; None: no process works on this data."""

    database_path: str
    pid: int | None
    address: str

    def __str__(self) -> str:
        state = "not running" if self.pid is None else f"process {self.pid}, {self.address}"
        return f"{self.database_path}, {state}"


def instance_info(settings: Settings, processes: Sequence[ProcessInfo]) -> InstanceInfo:
    """`processes` are those of `find_processes`, oldest first."""
    running = find_running(settings.run_dir)
    pid = running.pid if running is not None else next((process.pid for process in processes), None)
    return InstanceInfo(str(settings.database_path), pid, settings.auth.rp_origin)
