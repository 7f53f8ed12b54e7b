"""`python -m benchmarks structure`: figures of the code's structure, to compare between commits.

- The share of imports that stay inside their room, and pairs of rooms that import each other (benchmarks/imports.py).
- The functions and files that one event passes through, and one view of an issue's page (benchmarks/traced.py). Traced
  at the second call, so that work done once per process does not count. A comprehension counts as part of its function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.imports import PACKAGES, ImportFigures, measure_imports
from benchmarks.trees import ROOT, checked_out


class Trace(NamedTuple):
    """The functions and files that one piece of work called, each counted once."""

    functions: int
    files: int


def report(commit: str | None, console: Console) -> None:
    """Print the figures of the working tree; with a commit, only those that its source gives without running it."""
    if commit is not None:
        with checked_out(commit) as tree:
            _print_imports(measure_imports(tree), commit, console)
        return
    _print_imports(measure_imports(ROOT), "working tree", console)
    _print_traces(measure_traces(), console)


def measure_traces() -> dict[str, Trace]:
    """A trace of each piece of work, by its name."""
    from benchmarks import traced  # here, because the imports of another commit are counted without importing bloop

    traces = {}
    for name, prepare in (
        ("an event in, through HTTP server and app", traced.ingest_by_server),
        ("an event in, through the app alone", traced.ingest_by_app),
        ("its record, to committed rows", traced.store_record),
        ("the page of an issue", traced.open_issue_page),
    ):
        with prepare() as work:
            work()
            traces[name] = trace(work)
    return traces


def trace(work: Callable[[], object], tree: Path = ROOT) -> Trace:
    """Functions and files of the server below `tree` that `work` calls in this thread."""
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            called.add(frame.f_code)

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(previous)
    folders = tuple(f"{tree / package}/" for package in PACKAGES)
    own = [code for code in called if code.co_filename.startswith(folders) and not _is_comprehension(code)]
    return Trace(len(own), len({code.co_filename for code in own}))


def _is_comprehension(code: CodeType) -> bool:
    """Python 3.12 runs comprehensions inside their function, 3.11 calls them: count both alike."""
    return code.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def _print_imports(figures: ImportFigures, name: str, console: Console) -> None:
    table = Table(title=f"imports between files of {' and '.join(PACKAGES)}, {name}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("files", f"{figures.files:,}")
    table.add_row("rooms", f"{figures.rooms}")
    table.add_row("imports", f"{figures.imports:,}")
    table.add_row("inside their room", f"{figures.inside:,}, {figures.inside_share:.1%}")
    table.add_row("without imports of the spine", f"{figures.imports - figures.to_spine:,}")
    table.add_row("  of them inside their room", f"{figures.inside_share_without_spine:.1%}")
    table.add_row("pairs of rooms that import each other", f"{len(figures.two_way)}")
    for pair in figures.two_way:
        table.add_row(f"  {pair.room} and {pair.other}", f"{pair.there} there, {pair.back} back")
    console.print(table)


def _print_traces(traces: dict[str, Trace], console: Console) -> None:
    table = Table(title="functions that the server calls")
    table.add_column("work")
    table.add_column("functions", justify="right")
    table.add_column("files", justify="right")
    for name, calls in traces.items():
        table.add_row(name, f"{calls.functions}", f"{calls.files}")
    console.print(table)
