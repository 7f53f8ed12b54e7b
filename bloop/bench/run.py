"""The work of `bloop bench`: find the bloop to measure, run the session, print and write the results."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from bloop.bench.driver import LoadError
from bloop.bench.instance import BenchInstance, InstanceError, check_on_disk
from bloop.bench.places import Place, RemotePlace, TemporaryPlace, find_target
from bloop.bench.profiles import Options, Profile
from bloop.bench.report import as_html, as_json, milliseconds, number
from bloop.bench.results import Findings
from bloop.bench.session import Session
from bloop.cli_kit.context import Refusal, errors_as_refusals

FOLDER = Path("/var/tmp")  # noqa: S108 - on a disk, which /tmp need not be; the folder in it is private


class Where(NamedTuple):
    """The bloop to measure: at `url` with these credentials, or without one a throw-away one below `folder`."""

    url: str | None
    key: str
    secret: str
    token: str
    really: str
    folder: Path | None


def run(options: Options, where: Where, report: Path | None, *, is_json: bool) -> None:
    """Refusal when what was accepted and what is stored differ."""
    with errors_as_refusals(), _failing(), _at(options, where) as place, _progress() as say:
        found = Session(place, options, say).run()
    if report:
        with errors_as_refusals():
            report.write_text(as_html(found, made_at=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())), "utf-8")
    if is_json:
        click.echo(as_json(found))
    else:
        _print(found, report)
    if not found.passed:
        raise Refusal("; ".join(found.accounts.breaches if found.accounts else ()))


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except (LoadError, InstanceError) as error:
        raise Refusal(str(error)) from error


@contextlib.contextmanager
def _at(options: Options, where: Where) -> Iterator[Place]:
    """The bloop to measure. One of our own has no rate limit, and for a ramp no spill: what spills is not held."""
    if where.url:
        target = find_target(where.url, key=where.key, secret=where.secret, really=where.really)
        yield RemotePlace(target, where.token)
        return
    settings = {"BLOOP__INGEST__SPILL_BYTES_MAX": "0"} if options.profile is Profile.RAMP else {}
    with tempfile.TemporaryDirectory(prefix="bloop-bench-", dir=where.folder or FOLDER) as home:
        check_on_disk(Path(home))
        with BenchInstance(Path(home), **settings) as instance:
            yield TemporaryPlace(instance)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A bar on stderr while somebody watches: what goes on, and how much of its time is over."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True,
        disable=not console.is_terminal, get_time=time.monotonic,
    )  # fmt: skip
    with bar:
        task = bar.add_task("starting", total=None)

        def say(text: str, seconds: float) -> None:
            bar.reset(task, description=f"{text} for {seconds:.0f} s" if seconds else text, total=None)

        yield say


def _reasons(reasons: dict[str, int]) -> str:
    return f" ({', '.join(f'{count} {why}' for why, count in reasons.items())})" if reasons else ""


def _print(found: Findings, report: Path | None) -> None:
    for step in found.steps:
        held = "interrupted" if step.interrupted else "held" if step.held else "not held"
        visible = ""
        if step.visible:
            visible = f", visible p50 {milliseconds(step.visible['p50'])} p99 {milliseconds(step.visible['p99'])}"
        click.echo(
            f"{number(step.rate)} events/s for {step.seconds:.0f} s: {held}, {step.dropped} dropped; answer p50 "
            f"{milliseconds(step.latency['p50'])} p99 {milliseconds(step.latency['p99'])} max "
            f"{milliseconds(step.latency['max'])}{visible}; generator "
            f"{step.generator_cores:.2f} cores"
        )
    if found.limit_per_s is not None:
        click.echo(f"limit: {number(found.limit_per_s)} events/s, nothing dropped")
    last = found.steps[-1] if found.steps else None
    if last and last.cpu_s_per_10k is not None:
        busy = ", ".join(f"{part} {used:.2f}" for part, used in sorted(last.cpu_s.items(), key=lambda i: -i[1]) if used)
        click.echo(f"CPU seconds: {busy}; {last.cpu_s_per_10k:.2f} per 10,000 events")
    if found.memory_mib:
        parts = ", ".join(f"{part} {size:.0f}" for part, size in found.memory_mib.items())
        click.echo(f"memory: {sum(found.memory_mib.values()):.0f} MiB PSS: {parts}")
    if found.reads:
        reads = found.reads
        failed = f"{reads.failed} failed{_reasons(reads.reasons)}"
        p50, p99 = milliseconds(reads.latency["p50"]), milliseconds(reads.latency["p99"])
        click.echo(f"reads: {reads.count}, {failed}, p50 {p50} p99 {p99}")
    _print_accounts(found)
    if report:
        click.echo(f"report: {report}", err=True)


def _print_accounts(found: Findings) -> None:
    for line in found.warnings:
        click.echo(f"warning: {line}", err=True)
    accounts = found.accounts
    if accounts is None:
        return
    stored = f", {accounts.ledger.get('stored', 0)} stored" if accounts.ledger is not None else ""
    click.echo(
        f"{accounts.sent} events sent, {accounts.accepted} accepted, {accounts.dropped} dropped, {accounts.invalid} "
        f"invalid, {accounts.refused_requests} requests refused{stored}"
    )
    if accounts.note:
        click.echo(accounts.note)
    elif found.passed:
        click.echo("accepted = stored")
