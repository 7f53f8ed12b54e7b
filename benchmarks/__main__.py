"""`python -m benchmarks` measures, `python -m benchmarks profile …` says where the time goes."""

from __future__ import annotations

import click


@click.group()
def main() -> None:
    """Benchmarks of bloop on this machine."""


@main.group()
def profile() -> None:
    """Where the time of one part goes, in this process, without the others."""


@profile.command("writer")
@click.option("--events", default=40_000, show_default=True, help="records to store")
@click.option("--batch", "batches", multiple=True, type=int, default=(500, 2000, 5000), show_default=True)
@click.option("--deep", is_flag=True, help="add cProfile's view")
def profile_writer(events: int, batches: tuple[int, ...], deep: bool) -> None:
    """The store on synthetic records, beside bare inserts of the same rows."""
    from benchmarks.profile_writer import report

    report(events, batches, deep=deep)


@profile.command("ingest")
@click.option("--events", default=20_000, show_default=True, help="events to send")
@click.option("--batch", default=0, show_default=True, help="events per request; 0: one request each")
@click.option("--deep", is_flag=True, help="add cProfile's view")
def profile_ingest(events: int, batch: int, deep: bool) -> None:
    """The ingest path from the bytes of a request to the bytes of a record, without system calls."""
    from benchmarks.profile_ingest import report

    report(events, batch=batch, deep=deep)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
