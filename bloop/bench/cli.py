"""`bloop bench`: measures this machine with a temporary bloop, or sends load to a running one."""

from __future__ import annotations

from pathlib import Path

import click

from bloop.bench.bodies import Body
from bloop.bench.profiles import Options, Profile
from bloop.cli_kit.context import read_credential

RATE = 1000.0
_CREDENTIAL = click.Path(path_type=Path, dir_okay=False)
SECONDS = {Profile.STEADY: 20.0, Profile.RAMP: 5.0, Profile.BURST: 40.0, Profile.SOAK: 600.0}


@click.command()
@click.argument("profile", type=click.Choice([p.value for p in Profile]), default=Profile.STEADY.value)
@click.option("--rate", type=click.FloatRange(1, 1e6), default=RATE, show_default=True, help="Events per second.")
@click.option("--seconds", type=click.FloatRange(1, 86_400), help="Duration; of a ramp, of each step.")
@click.option("--minutes", type=click.FloatRange(0.1, 1440), help="Duration in minutes, for a soak.")
@click.option("--batch", type=click.IntRange(1, 50), default=1, show_default=True, help="Events per request.")
@click.option(
    "--body",
    type=click.Choice([b.value for b in Body]),
    default=Body.TYPICAL.value,
    show_default=True,
    help="Kind of event to send.",
)
@click.option(
    "--factor", type=click.FloatRange(1, 100), default=5.0, show_default=True, help="Burst as a multiple of the rate."
)
@click.option("--connections", type=click.IntRange(2, 1000), default=16, show_default=True, help="Open connections.")
@click.option("--readers", type=click.IntRange(0, 50), default=0, show_default=True, help="Concurrent API readers.")
@click.option("--url", help="URL of a running bloop (default: a temporary one).")
@click.option("--key-file", type=_CREDENTIAL, help="File with the key of the project to send to, with --url.")
@click.option("--secret-file", type=_CREDENTIAL, help="File with the secret of the default project, with --url.")
@click.option("--token-file", type=_CREDENTIAL, help="File with an API token, to compare with the stored counts.")
@click.option("--yes-really", "really", default="", metavar="HOST", help="Confirm a host other than this machine.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder for the temporary data.",
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with charts to this file."
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON, for scripts.")
def bench(
    profile: str,
    rate: float,
    seconds: float | None,
    minutes: float | None,
    batch: int,
    body: str,
    factor: float,
    connections: int,
    readers: int,
    url: str | None,
    key_file: Path | None,
    secret_file: Path | None,
    token_file: Path | None,
    really: str,
    folder: Path | None,
    report: Path | None,
    is_json: bool,
) -> None:
    """Measure throughput, latency, CPU and memory under load.

    PROFILE is steady (the default), ramp (find the highest rate that is held), burst (calm, --factor times the rate,
    calm) or soak (ten minutes, or --minutes). Ctrl-C ends it and reports the results so far.

    Exit code 1 when an accepted event is not stored.

    Credentials come from files or from BLOOP_BENCH_KEY, BLOOP_BENCH_SECRET and BLOOP_BENCH_TOKEN: every user of a
    machine can read the command lines of its processes.
    """
    from bloop.bench.run import Where, run

    chosen = Profile(profile)
    length = seconds or (minutes or 0) * 60 or SECONDS[chosen]
    options = Options(chosen, rate, length, batch, Body(body), factor, connections, readers)
    key, secret = read_credential(key_file, "BLOOP_BENCH_KEY"), read_credential(secret_file, "BLOOP_BENCH_SECRET")
    token = read_credential(token_file, "BLOOP_BENCH_TOKEN")
    if readers and url and not token:
        raise click.UsageError("--readers needs --token-file or BLOOP_BENCH_TOKEN")
    run(options, Where(url, key, secret, token, really, folder), report, is_json=is_json)
