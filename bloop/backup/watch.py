"""Reports the progress of long work, lets the caller stop it, and keeps the disk from filling up."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bloop.base.errors import BackupError

MIB = 1024 * 1024


class Stopped(BackupError):
    """The work was stopped before its end. No file was kept."""


@dataclass(frozen=True, slots=True)
class Watch:
    """`report` gets the name of the step and the finished share of it, 0.0 to 1.0."""

    stopping: Callable[[], bool] = lambda: False
    report: Callable[[str, float], None] = lambda step, share: None
    free_bytes_min: int = 0

    def check(self, step: str, done: int, total: int) -> None:
        """Report progress. Raises: Stopped."""
        if self.stopping():
            raise Stopped("stopped before it was done")
        self.report(step, done / total if total else 1.0)

    def check_disk(self, folder: Path) -> None:
        """Raises: BackupError before the disk counts as full, because then the writer would stop storing."""
        if free_bytes(folder) < self.free_bytes_min:
            raise BackupError(f"the disk of {folder} is almost full; no file was kept")

    def require_free(self, folder: Path, needed_bytes: int) -> None:
        """Raises: BackupError when `folder` has less free space than `needed_bytes`."""
        free = free_bytes(folder)
        if free - self.free_bytes_min < needed_bytes:
            raise BackupError(
                f"not enough space in {folder}: {free // MIB} MiB free, "
                f"{(needed_bytes + self.free_bytes_min) // MIB + 1} MiB needed"
            )


def free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
