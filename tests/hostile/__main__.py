"""Attack a bloop of its own for longer than the suite does, and print a table: `python -m tests.hostile --seconds 60`.

Everything is on loopback and gone afterwards. Times are medians and 99th percentiles in ms, without and with attack.
"""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import click

from tests.acceptance.harness import BloopServer
from tests.hostile.latency import measure, worst_ratio
from tests.hostile.ordinary import long_answer, ordinary_requests
from tests.hostile.slow_clients import SETTLE_S, Kind, attacking, connector, plan_of

COUNTS = {kind: 1000 if kind is Kind.HALF_HEADS else 50 for kind in Kind}


@click.command()
@click.option("--seconds", type=click.IntRange(1, 600), default=60, help="of each attack")
@click.option("--only", type=click.Choice([kind.name for kind in Kind]), default=None)
@click.option("--connections", type=click.IntRange(1, 5000), default=None, help="of each attack; 50, half heads 1,000")
def main(seconds: int, only: str | None, connections: int | None) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 8192 else max(soft, 8192), hard))
    with tempfile.TemporaryDirectory() as folder:
        server = BloopServer(Path(folder) / "data", quiet=True)
        try:
            server.start()
            requests = ordinary_requests(server)
            measure(requests, 2)  # caches and code are warm
            click.echo(f"| attack, {seconds} s | connections | request | undisturbed p50 / p99 | attacked p50 / p99 |")
            click.echo("|---|---|---|---|---|")
            for kind in [Kind[only]] if only else list(Kind):
                before = measure(requests, min(seconds, 10))
                plan = plan_of(kind, long_answer(server))
                with attacking(plan, connections or COUNTS[kind], connector(server.port)) as attack:
                    measure(requests, SETTLE_S)
                    during = measure(requests, seconds)
                for name in requests:
                    click.echo(f"| {kind} | {connections or COUNTS[kind]} | {name} | {before[name]} | {during[name]} |")
                click.echo(f"worst p99: {worst_ratio(before, during):.1f} times; {attack.opened} connections", err=True)
        finally:
            server.remove_traces()


if __name__ == "__main__":
    main()
