"""Sizes of files and disks, None where the system does not say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def disk_bytes(folder: Path) -> int | None:
    """The size of the disk that `folder` is on."""
    try:
        return shutil.disk_usage(folder).total
    except OSError:
        return None


def disk_free_bytes(folder: Path) -> int | None:
    """What is free on it."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def file_bytes(path: Path) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None
