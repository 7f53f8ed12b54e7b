"""`python -m tests.chaos`, or `make chaos`: exit status 0 when bloop kept every promise, 1 when not."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click
import orjson
from rich.console import Console

from tests.chaos import plan
from tests.chaos.faults import FAULTS
from tests.chaos.table import Book
from tests.chaos.trial import Pace


@click.command()
@click.option("--minutes", default=5.0, show_default=True, help="A trial that has begun is finished.")
@click.option("--seed", type=int, default=None, help="The same faults in the same order again.")
@click.option("--trial", "only_trial", type=click.IntRange(1), help="Only this one of the seed's trials.")
@click.option("--only", multiple=True, type=click.Choice(list(FAULTS)), metavar="FAULT", help="These, all together.")
@click.option("--hold", "hold_s", default=3.0, show_default=True, help="Seconds that a fault lasts.")
@click.option("--crowd", default=5000, show_default=True, help="Idle connections.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Other than /tmp.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(
    minutes: float,
    seed: int | None,
    only_trial: int | None,
    only: tuple[str, ...],
    hold_s: float,
    crowd: int,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Injects faults into a throw-away bloop under load, and compares what was accepted with what is stored."""
    seed = random.SystemRandom().randrange(1, 1 << 32) if seed is None else seed
    ends_at, console, book = time.monotonic() + minutes * 60, Console(stderr=as_json), Book(seed)
    console.print(f"seed {seed}")
    try:
        with tempfile.TemporaryDirectory(prefix="bloop-chaos-", dir=folder) as temporary:
            for number, trial in enumerate(plan.trials(seed, Pace(hold_s, crowd), only), start=1):
                if only_trial not in (None, number):
                    continue
                if book.findings and time.monotonic() >= ends_at:
                    break
                for finding in trial.run(Path(temporary) / str(number)):
                    book.add(number, finding)
                    console.print(book.line(number, finding))
                if only_trial:
                    break
    except KeyboardInterrupt:
        console.print("interrupted; what was found so far:")
    if as_json:
        click.echo(orjson.dumps({"seed": seed, "steps": [{"trial": n, **asdict(f)} for n, f in book.findings]}))
    else:
        book.print_to(console)
    sys.exit(1 if book.failed or not book.findings else 0)


if __name__ == "__main__":
    main(prog_name="python -m tests.chaos")
