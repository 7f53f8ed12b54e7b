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
from tests.chaos.table import FindingLog
from tests.chaos.trial import Pace


@click.command()
@click.option("--minutes", default=5.0, show_default=True, help="How long to begin new trials.")
@click.option("--seed", type=int, default=None, help="Repeat the faults of an earlier run, in their order.")
@click.option("--trial", "only_trial", type=click.IntRange(1), help="Run only this trial of the seed.")
@click.option("--only", multiple=True, type=click.Choice(list(FAULTS)), metavar="FAULT", help="Only these, together.")
@click.option("--hold", "hold_s", default=3.0, show_default=True, help="Length of a fault, in seconds.")
@click.option("--crowd", default=5000, show_default=True, help="Idle connections.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Instead of /tmp.")
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
    """Inject faults into a temporary bloop under load, and compare accepted with stored events."""
    seed = random.SystemRandom().randrange(1, 1 << 32) if seed is None else seed
    ends_at, console, log = time.monotonic() + minutes * 60, Console(stderr=as_json), FindingLog(seed)
    console.print(f"seed {seed}")
    try:
        with tempfile.TemporaryDirectory(prefix="bloop-chaos-", dir=folder) as temporary:
            for number, trial in enumerate(plan.trials(seed, Pace(hold_s, crowd), only), start=1):
                if only_trial not in (None, number):
                    continue
                if log.findings and time.monotonic() >= ends_at:
                    break
                for finding in trial.run(Path(temporary) / str(number)):
                    log.add(number, finding)
                    console.print(log.line(number, finding))
                if only_trial:
                    break
    except KeyboardInterrupt:
        console.print("interrupted; the results so far:")
    if as_json:
        click.echo(orjson.dumps({"seed": seed, "steps": [{"trial": n, **asdict(f)} for n, f in log.findings]}))
    else:
        log.print_to(console)
    sys.exit(1 if log.failed or not log.findings else 0)


if __name__ == "__main__":
    main(prog_name="python -m tests.chaos")
