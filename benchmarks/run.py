"""All scenarios in order, with progress on the screen, a table and a JSON file at the end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import burst, latency, peers, queries, retention, ring, soak, throughput
from benchmarks.bench import QUICK, Bench, Scale
from benchmarks.report import Report
from bloop.bench.instance import check_on_disk

OTHERS_CORES_MAX = 0.1

SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "throughput": throughput.run,
    "latency": latency.run,
    "queries": queries.run,
    "ring": ring.run,
    "burst": burst.run,
    "retention": retention.run,
    "peers": peers.run,
}
LONG: dict[str, Callable[[Bench], None]] = {"soak": soak.run}  # only when asked for


class OtherPrograms:
    """CPU use of other programs: busy time of all cores less our own and that of ended children."""

    def __init__(self) -> None:
        self._started, self._busy_s, self._own_s = time.monotonic(), _busy_s(), _own_s()

    def cores(self) -> float:
        """Cores that they used, on average since the start. Call when our children have ended."""
        others_s = _busy_s() - self._busy_s - (_own_s() - self._own_s)
        return max(0.0, others_s / (time.monotonic() - self._started))


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def _own_s() -> float:
    return float(sum(psutil.Process().cpu_times()[:4]))  # user, system, and both of children that were waited for


def run(
    only: Sequence[str], *, quick: bool, folder: Path | None, console: Console, scale: Scale | None = None
) -> Report:
    """Run the scenarios named, all when none is; the table is printed even when one of them fails."""
    report = Report(quick=quick)
    scale = scale or (QUICK if quick else Scale())
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

            others = OtherPrograms()
            try:
                (SCENARIOS | LONG)[name](Bench(report, scale, home, say))
            except Exception:
                report.print_to(console)
                raise
            progress.update(task, description=name, total=1, completed=1)
            if (cores := others.cores()) > OTHERS_CORES_MAX:
                report.warn(f"{name}: other programs used {cores:.1f} cores, so rates are too low and times too high")
    report.seconds = time.monotonic() - started
    return report
