"""All scenarios in order, with progress on the screen, a table and a JSON file at the end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import latency, peers, queries, ring, throughput
from benchmarks.bench import QUICK, Bench, Scale
from benchmarks.instance import check_on_disk
from benchmarks.report import Report

SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "throughput": throughput.run,
    "latency": latency.run,
    "queries": queries.run,
    "ring": ring.run,
    "peers": peers.run,
}


def run(only: Sequence[str], *, quick: bool, folder: Path | None, console: Console) -> Report:
    """Run the scenarios named, all when none is; the table is printed even when one of them fails."""
    report = Report(quick=quick)
    started = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="bloop-bench-", dir=folder) as temporary,
        Progress(*columns, console=console, transient=False, refresh_per_second=2) as progress,
    ):
        check_on_disk(Path(temporary))
        for name in only or SCENARIOS:
            task = progress.add_task(name, total=None)
            home = Path(temporary) / name
            home.mkdir()

            def say(text: str, name: str = name, task: object = task) -> None:
                progress.update(task, description=f"{name}: {text}")  # type: ignore[arg-type]

            try:
                SCENARIOS[name](Bench(report, QUICK if quick else Scale(), home, say))
            except Exception:
                report.print_to(console)
                raise
            progress.update(task, description=name, total=1, completed=1)
    report.seconds = time.monotonic() - started
    return report
