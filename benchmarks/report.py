"""The result of a run: figures and what limits them, on the screen and as JSON."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.trees import ROOT
from bloop.bench.about import machine

RESULTS = ROOT / "benchmarks" / "results"


@dataclass(slots=True)
class Figure:
    """One number. `name` is stable, so that results of different commits can be compared."""

    name: str
    value: float
    unit: str
    bound: str  # what limits it, in one line
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    """All figures of a run, in order, and its warnings."""

    quick: bool = False
    figures: list[Figure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, name: str, value: float, unit: str, bound: str, **detail: Any) -> None:
        self.figures.append(Figure(name, value, unit, bound, detail))

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def table(self) -> Table:
        table = Table(title="bloop benchmarks" + (" (quick: durations too short to quote)" if self.quick else ""))
        table.add_column("figure", no_wrap=True)
        table.add_column("value", justify="right")
        table.add_column("unit", no_wrap=True)
        table.add_column("bounded by", overflow="fold")
        section = ""
        for figure in self.figures:
            group = figure.name.partition(".")[0]
            if section and group != section:
                table.add_section()
            section = group
            table.add_row(figure.name, printable(figure.value), figure.unit, figure.bound)
        return table

    def print_to(self, console: Console) -> None:
        console.print(self.table())
        for text in self.warnings:
            console.print(f"[yellow]warning[/]: {text}")

    def save(self, folder: Path = RESULTS) -> Path:
        """Write `<UTC time>-<commit>.json`; return where."""
        about: dict[str, Any] = machine() | {"commit": commit_name()}
        folder.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = folder / f"{stamp}-{about['commit']}.json"
        content: Mapping[str, Any] = {
            "machine": about,
            "quick": self.quick,
            "seconds": round(self.seconds, 1),
            "warnings": self.warnings,
            "figures": [asdict(figure) for figure in self.figures],
        }
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        return path


def printable(value: float) -> str:
    """Three significant digits, with thousands separators."""
    if value != value:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def commit_name() -> str:
    """Short hash, with `-dirty` when the measured code has uncommitted changes."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", "bloop", "workers", "benchmarks", "gunicorn.conf.py")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
