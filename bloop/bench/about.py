"""Describes the machine, which figures depend on besides the code."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

import psutil

from bloop.db.connection import engine_version

PACKAGES = ("falcon", "gunicorn", "httptools", "apsw", "msgspec", "orjson", "xxhash")


def machine() -> dict[str, object]:
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": platform.release(),
        "python": f"Python {sys.version.split()[0]} from {sys.base_prefix} ({platform.python_compiler()})",
        "sqlite": engine_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
