"""`bloop retention`: show, set, purge. A purge is the retention process's work; without one it is done here."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence

import apsw
import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.command.context import Refusal, as_json, database, print_json, print_table, with_settings
from bloop.db import connection
from bloop.processes.read import RETENTION, STALE_MS, process_states
from bloop.projects.read import find_project
from bloop.retention import disk
from bloop.retention import store as storage
from bloop.retention.cleaner import Cleaner
from bloop.retention.overview import overview
from bloop.retention.policy import DAYS_MAX, DAYS_MIN
from bloop.retention.read import RetentionRunRow, get_run, overrides

ASKED_BY = "cli"
LOOK_EVERY_S = 0.1

Days = click.IntRange(DAYS_MIN, DAYS_MAX)


@click.group()
def retention() -> None:
    """How long what is kept, and deleting now what is older."""


@retention.command()
@as_json
@with_settings
def show(settings: Settings, as_json: bool) -> None:
    """What is kept for how many days, by what is saved and the settings file, and how much there is."""
    with database(settings) as db:
        found, own = overview(db, settings.retention), overrides(db)
    if as_json:
        print_json(found)
        return
    days, stored = found["global"], found["storage"]
    lines: list[tuple[str, object, object]] = [
        ("raw events", days["raw_events_days"], stored["raw_events_count"]),
        *((f"  {row.slug}", row.raw_events_days, "") for row in own),
        ("hourly counts", days["hourly_counts_days"], stored["hourly_counts_count"]),
    ]
    print_table(("WHAT", "DAYS", "ROWS"), lines)
    click.echo(f"the database has {stored['db_size_bytes'] / 2**20:.1f} MiB", err=True)


@retention.command("set")
@click.option("--events", type=Days, help="Days raw events are kept.")
@click.option("--hours", type=Days, help="Days counts per hour are kept.")
@click.option(
    "--project",
    "own",
    multiple=True,
    metavar="SLUG=DAYS",
    help="Days one project's raw events are kept; SLUG=default for as long as the others'. May be repeated.",
)
@with_settings
def set_(settings: Settings, events: int | None, hours: int | None, own: Sequence[str]) -> None:
    """Keep things for another time from now on. What is not named stays as it is."""
    if events is None and hours is None and not own:
        raise click.UsageError("name what to set: --events, --hours or --project")
    wanted = [_own_days(text) for text in own]
    with database(settings) as db, connection.immediate(db):
        storage.save_policy(
            db,
            raw_events_days=events,
            hourly_counts_days=hours,
            overrides=[(find_project(db, slug).id, days) for slug, days in wanted],
        )
    click.echo("saved; what is older now goes with the next clean-up, or with `bloop retention purge`", err=True)


@retention.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@with_settings
def purge(settings: Settings, yes: bool, as_json: bool) -> None:
    """Delete now what is older than is kept, and give the room back to the file system.

    Interrupted, it goes on with the next clean-up.
    """
    with database(settings) as db:
        if not yes:
            days = overview(db, settings.retention)["global"]
            events, hours = days["raw_events_days"], days["hourly_counts_days"]
            question = f"Delete raw events of more than {events}, hourly counts of more than {hours} days?"
            click.confirm(question, abort=True, err=True)
        with connection.immediate(db):
            run = storage.ask_for_run(db, asked_by=ASKED_BY, now_ms=clock.now_ms())
        done = _wait(db, run) if _somebody_works(db) else _work(settings, db, run)
    counts = {"raw_events_deleted": done.raw_events_deleted, "hourly_counts_deleted": done.hourly_counts_deleted}
    if as_json:
        print_json({"status": "ok", **counts, "bytes_freed": done.bytes_freed})
    else:
        freed = f"{done.bytes_freed / 2**20:.1f} MiB given back"
        click.echo(f"{done.raw_events_deleted} events and {done.hourly_counts_deleted} hourly counts deleted, {freed}")


def _own_days(text: str) -> tuple[str, int]:
    slug, _, days = text.rpartition("=")
    if days == "default" and slug:
        return slug, 0
    if not slug or not (days.isascii() and days.isdigit()) or not DAYS_MIN <= int(days) <= DAYS_MAX:
        raise click.BadParameter(f"{text}: must be SLUG=DAYS, {DAYS_MIN} to {DAYS_MAX} days, or SLUG=default")
    return slug, int(days)


def _somebody_works(db: apsw.Connection) -> bool:
    """Whether the retention process lives."""
    now_ms = clock.now_ms()
    return any(s.name == RETENTION and now_ms - s.seen_at_ms <= STALE_MS for s in process_states(db))


def _wait(db: apsw.Connection, run: RetentionRunRow) -> RetentionRunRow:
    """Until the retention process is done, or is no more."""
    with contextlib.closing(_Progress()) as progress:
        while run.finished_at_ms is None:
            progress.say(run)
            time.sleep(LOOK_EVERY_S)
            run = _again(db, run)
            if run.finished_at_ms is None and not _somebody_works(db):
                raise Refusal("the retention process does not answer; the purge goes on when it is back")
    return run


def _work(settings: Settings, db: apsw.Connection, run: RetentionRunRow) -> RetentionRunRow:
    """In this process."""
    path, minimum = settings.database_path, settings.database.disk_free_bytes_min
    with contextlib.closing(connection.open_cleaner(path)) as own, contextlib.closing(_Progress()) as progress:
        cleaner = Cleaner(
            own,
            run.id,
            defaults=settings.retention,
            samples=settings.pipeline.sample_reservoir_size,
            now_ms=clock.now_ms,
            disk_is_low=lambda: disk.is_low(path, minimum),
        )
        for rest_s in cleaner.work():
            progress.say(_again(db, run))
            time.sleep(rest_s)
    return _again(db, run)


def _again(db: apsw.Connection, run: RetentionRunRow) -> RetentionRunRow:
    return get_run(db, run.id) or run


class _Progress:
    """One line on a terminal, nothing elsewhere."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._said_at: float | None = None  # monotonic

    def say(self, run: RetentionRunRow) -> None:
        now_s = time.monotonic()
        if not self._is_shown or (self._said_at is not None and now_s - self._said_at < LOOK_EVERY_S):
            return
        self._said_at = now_s
        due = "?" if run.raw_events_due is None else run.raw_events_due
        click.echo(f"\r\x1b[K{run.raw_events_deleted} of {due} events", err=True, nl=False)

    def close(self) -> None:
        if self._said_at is not None:
            click.echo("\r\x1b[K", err=True, nl=False)
