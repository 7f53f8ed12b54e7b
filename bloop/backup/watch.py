"""Somebody who watches a long piece of work: hears how far it is, may end it, and guards the disk meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bloop.base.errors import BackupError

MIB = 1024 * 1024


class Stopped(BackupError):
    """Asked to stop in the middle. Nothing was kept."""


@dataclass(frozen=True, slots=True)
class Watch:
    """`report` gets the name of the step and the share of it that is done, 0.0 to 1.0."""

    stopping: Callable[[], bool] = lambda: False
    report: Callable[[str, float], None] = lambda step, share: None
    free_bytes_min: int = 0

    def look(self, step: str, done: int, total: int) -> None:
        """Raises: Stopped."""
        if self.stopping():
            raise Stopped("stopped before it was done")
        self.report(step, done / total if total else 1.0)

    def look_at_disk(self, folder: Path) -> None:
        """Raises: BackupError before the disk counts as full, because then nothing would be stored."""
        if free_bytes(folder) < self.free_bytes_min:
            raise BackupError(f"the disk of {folder} is running full; nothing was kept")

    def need(self, folder: Path, wanted_bytes: int) -> None:
        """Raises: BackupError when `folder` has no room for so much."""
        free = free_bytes(folder)
        if free - self.free_bytes_min < wanted_bytes:
            raise BackupError(
                f"not enough room in {folder}: {free // MIB} MiB free, "
                f"{(wanted_bytes + self.free_bytes_min) // MIB + 1} MiB needed"
            )


def free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
