"""The output: a line after each step, and a table of verdicts at the end."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.chaos.trial import Finding

LINES_MAX = 6  # breaches shown of one step


class FindingLog:
    """The findings so far, by trial."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.findings: list[tuple[int, Finding]] = []

    def add(self, trial: int, finding: Finding) -> None:
        self.findings.append((trial, finding))

    def line(self, trial: int, finding: Finding) -> str:
        """The line for a finished step."""
        _, recovered, *_, verdict = _cells(finding)
        return f"{verdict} trial {trial}: {finding.faults}, {recovered}"

    @property
    def failed(self) -> list[tuple[int, Finding]]:
        return [(trial, finding) for trial, finding in self.findings if not finding.passed]

    def print_to(self, console: Console) -> None:
        console.print(self._table())
        for trial, finding in self.failed:
            for line in finding.breaches[:LINES_MAX]:
                console.print(f"[red]FAIL[/] trial {trial}, {finding.faults}: {escape(line)}", soft_wrap=True)
        verdict = f"[red]{len(self.failed)} FAILED[/]" if self.failed else "all passed"
        again = f"; again with SEED={self.seed}" + (f" TRIAL={self.failed[0][0]}" if self.failed else "")
        console.print(f"{len(self.findings)} steps, {verdict}{again}", soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        table.add_column("#", justify="right")
        table.add_column("faults")
        for name in ("recovered", "accepted", "no answer", "dropped", "damaged"):
            table.add_column(name, justify="right")
        table.add_column("verdict")
        before = 0
        for trial, finding in self.findings:
            if before and trial != before:
                table.add_section()
            before = trial
            table.add_row(str(trial), *_cells(finding))
        return table


def _cells(finding: Finding) -> list[str]:
    recovered = "never" if finding.recovered_s is None else f"{finding.recovered_s:.2f} s"
    counts = (finding.accepted, finding.unanswered, finding.dropped, finding.damaged)
    verdict = "[green]PASS[/]" if finding.passed else "[red]FAIL[/]"
    return [finding.faults, recovered, *(f"{count:,}" for count in counts), verdict]
