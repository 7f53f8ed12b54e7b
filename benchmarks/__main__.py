"""`python -m benchmarks` measures bloop, `python -m benchmarks profile …` breaks down the time of one part."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click
from rich.console import Console

TABLE_WIDTH = 110  # of ten columns, also where the output is no terminal


@click.group(invoke_without_command=True)
@click.option("--only", multiple=True, metavar="NAME", help="one scenario; may be repeated")
@click.option("--quick", is_flag=True, help="short runs to check that everything works; do not quote them")
@click.option("--dir", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="on a disk")
@click.pass_context
def main(context: click.Context, only: tuple[str, ...], quick: bool, folder: Path | None) -> None:
    """Benchmarks of bloop on this machine."""
    if context.invoked_subcommand is not None:
        return
    from benchmarks.run import SCENARIOS, run

    unknown = set(only) - SCENARIOS.keys()
    if unknown:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    console = Console()
    report = run(only, quick=quick, folder=folder, console=console)
    report.print_to(console)
    if not quick:
        console.print(f"written to {report.save()}")


@main.command("burst")
@click.option("--seconds", default=60.0, show_default=True, help="how long to offer twice the writer's speed")
@click.option("--dir", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="on a disk")
def burst(seconds: float, folder: Path | None) -> None:
    """Offer twice the writer's speed for a while. Renders every event first: 3 GB of memory for a minute."""
    from benchmarks.bench import Scale
    from benchmarks.run import run

    console = Console()
    run(("burst",), quick=False, folder=folder, console=console, scale=Scale(burst_s=seconds)).print_to(console)


@main.command("soak")
@click.option("--minutes", default=30.0, show_default=True, help="how long")
@click.option("--rate", default=0.0, metavar="N", help="events a second  [default: half of a ramp's result]")
@click.option("--dir", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="on a disk")
def soak(minutes: float, rate: float, folder: Path | None) -> None:
    """Hold half of the highest rate for long, with reads, deletions and alerts. Takes 1.5 KB of disk per event."""
    from benchmarks.bench import Scale
    from benchmarks.run import run

    console = Console()
    scale = Scale(soak_s=minutes * 60, soak_rate=rate)
    run(("soak",), quick=False, folder=folder, console=console, scale=scale).print_to(console)


@main.command("paired")
@click.argument("commit")
@click.option("--runs", type=click.IntRange(2), help="runs of both sides together, an even number  [default: 6]")
@click.option("--seconds", type=click.FloatRange(0.1), help="length of each load with a rate  [default: 10]")
@click.option("--rate", type=click.IntRange(50), help="single events a second of the held load  [default: 6000]")
@click.option("--only", multiple=True, metavar="NAME", help="singles, batches, latency, memory, pages; repeatable")
@click.option("--quick", is_flag=True, help="short runs to check that it works; do not quote them")
@click.option("--dir", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="on a disk")
@click.option("--json", "result", type=click.Path(path_type=Path, dir_okay=False), help="write the result to this file")
def paired(
    commit: str,
    runs: int | None,
    seconds: float | None,
    rate: int | None,
    only: tuple[str, ...],
    quick: bool,
    folder: Path | None,
    result: Path | None,
) -> None:
    """Compare the working tree with COMMIT in alternating runs: median ratios with limits. Takes nine minutes.

    Ratios above their limit are marked, but are no failure: the exit status is 1 only after an error.
    """
    from dataclasses import replace

    from benchmarks.paired import QUICK, SCENARIOS, Scale, compare
    from benchmarks.trees import TreeError
    from bloop.bench.driver import LoadError
    from bloop.bench.instance import InstanceError
    from bloop.bench.measure import CountError

    if unknown := set(only) - SCENARIOS.keys():
        raise click.BadParameter(f"{', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}", param_hint="--only")
    scale = QUICK if quick else Scale()
    scale = replace(scale, runs=runs or scale.runs, seconds=seconds or scale.seconds, rate=rate or scale.rate)
    if scale.runs % 2:
        raise click.BadParameter("must be even: as many runs of one side as of the other", param_hint="--runs")
    # Unwind as on Ctrl-C: bloop runs in its own session and would survive this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console, progress = Console(width=TABLE_WIDTH), Console(stderr=True)
    try:
        comparison = compare(commit, scale, only, folder=folder, say=progress.print)
    except (TreeError, InstanceError, LoadError, CountError) as error:
        raise click.ClickException(str(error)) from error
    comparison.print_to(console)
    if result is not None or not quick:
        console.print(f"written to {comparison.save(result)}")


@main.command("structure")
@click.option("--commit", help="count the imports of this commit instead, without running it")
def structure(commit: str | None) -> None:
    """Count imports that stay inside their room, and the functions that one event and one page call."""
    from benchmarks.structure import report
    from benchmarks.trees import TreeError

    try:
        report(commit, Console())
    except TreeError as error:
        raise click.ClickException(str(error)) from error


@main.command("publish")
@click.argument("result", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
def publish(result: Path | None) -> None:
    """Put a saved result, the newest unless named, into docs/performance.md and the README."""
    from benchmarks import markdown

    markdown.publish(result or markdown.newest_result())


@main.command("compare")
@click.argument("before", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def compare(before: Path, after: Path) -> None:
    """Compare two saved results, as Markdown. Only meaningful if one machine made both."""
    from benchmarks import markdown

    click.echo(markdown.compare(before, after), nl=False)


@main.command("dictionary")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def dictionary(file: Path) -> None:
    """Make the shipped dictionary again. Stored events name it by its id: a changed one is a new file."""
    from benchmarks.dictionary_text import made

    found = made()
    file.write_bytes(found.content)
    click.echo(f"{file}: {len(found.content)} bytes, id {found.id}")


@main.group()
def profile() -> None:
    """Break down the time of one part, which runs alone in this process."""


@profile.command("writer")
@click.option("--events", default=40_000, show_default=True, help="records to store")
@click.option("--batch", "batches", multiple=True, type=int, default=(500, 2000, 5000), show_default=True)
@click.option("--deep", is_flag=True, help="add cProfile's view")
def profile_writer(events: int, batches: tuple[int, ...], deep: bool) -> None:
    """Profile the store on synthetic records, next to bare inserts of the same rows."""
    from benchmarks.profile_writer import report

    report(events, batches, deep=deep)


@profile.command("ingest")
@click.option("--events", default=20_000, show_default=True, help="events to send")
@click.option("--batch", default=0, show_default=True, help="events per request; 0: one request each")
@click.option("--deep", is_flag=True, help="add cProfile's view")
def profile_ingest(events: int, batch: int, deep: bool) -> None:
    """Profile the ingest path from a request's bytes to a record's bytes, without system calls."""
    from benchmarks.profile_ingest import report

    report(events, batch=batch, deep=deep)


@profile.command("records")
@click.option("--events", default=20_000, show_default=True, help="events to encode")
def profile_records(events: int) -> None:
    """Encoding and decoding records of events, and what they come to in bytes."""
    from benchmarks.profile_records import report

    report(events)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
