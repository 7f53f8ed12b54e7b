"""`bloop retention`: show, set, purge. The retention process does a purge; if it is not running, the command does."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.cli_kit.context import Refusal, as_json, database, print_json, print_table, with_settings
from bloop.db import connection
from bloop.db.engine import Db
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
NEVER = "forever"

Days = click.IntRange(DAYS_MIN, DAYS_MAX)


@click.group()
def retention() -> None:
    """Show or change retention; purge expired data."""


@retention.command()
@as_json
@with_settings
def show(settings: Settings, as_json: bool) -> None:
    """Show the retention in force, in days, and the stored rows."""
    with database(settings) as db:
        current, own = overview(db, settings.retention), overrides(db)
    if as_json:
        print_json(current)
        return
    days, stored = current["global"], current["storage"]
    lines: list[tuple[str, object, object]] = [
        ("raw events", days["raw_events_days"], stored["raw_events_count"]),
        *((f"  {row.slug}", row.raw_events_days, "") for row in own if row.raw_events_days is not None),
        ("hourly counts", days["hourly_counts_days"], stored["hourly_counts_count"]),
        ("issues not seen", days["issues_days"] or NEVER, ""),
        *((f"  {row.slug}", row.issues_days or NEVER, "") for row in own if row.issues_days is not None),
    ]
    print_table(("WHAT", "DAYS", "ROWS"), lines)
    click.echo(f"the database has {stored['db_size_bytes'] / 2**20:.1f} MiB", err=True)


@retention.command("set")
@click.option("--events", type=Days, help="Days to keep raw events.")
@click.option("--hours", type=Days, help="Days to keep hourly counts.")
@click.option(
    "--project",
    "own",
    multiple=True,
    metavar="SLUG=DAYS",
    help="Days to keep one project's raw events; SLUG=default removes it. May be repeated.",
)
@click.option(
    "--issues",
    type=click.IntRange(0, DAYS_MAX),
    help="Days to keep issues after they were last seen; 0 keeps them forever.",
)
@click.option(
    "--project-issues",
    "own_issues",
    multiple=True,
    metavar="SLUG=DAYS",
    help="The same for one project; SLUG=default removes it. May be repeated.",
)
@with_settings
def set_(
    settings: Settings,
    events: int | None,
    hours: int | None,
    own: Sequence[str],
    issues: int | None,
    own_issues: Sequence[str],
) -> None:
    """Change the retention. Values that are not given stay unchanged.

    Assigned issues always stay.
    """
    if events is None and hours is None and issues is None and not (own or own_issues):
        raise click.UsageError("name what to set: --events, --hours, --issues, --project or --project-issues")
    project_days = [_own_days(text) for text in own]
    project_issues_days = [_own_issues_days(text) for text in own_issues]
    with database(settings) as db, connection.immediate(db):
        storage.save_policy(
            db,
            raw_events_days=events,
            hourly_counts_days=hours,
            issues_days=issues,
            overrides=[(find_project(db, slug).id, days) for slug, days in project_days],
            issue_overrides=[(find_project(db, slug).id, days) for slug, days in project_issues_days],
        )
    click.echo("saved; the next clean-up, or `bloop retention purge`, deletes data that is now too old", err=True)


@retention.command()
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json
@with_settings
def purge(settings: Settings, yes: bool, as_json: bool) -> None:
    """Delete expired data now and return the space to the file system.

    If interrupted, it continues with the next clean-up.
    """
    with database(settings) as db:
        if not yes:
            days = overview(db, settings.retention)["global"]
            events, hours = days["raw_events_days"], days["hourly_counts_days"]
            question = f"Delete raw events of more than {events}, hourly counts of more than {hours} days?"
            if days["issues_days"]:
                question = f"{question[:-1]}, and issues not seen for {days['issues_days']} days?"
            click.confirm(question, abort=True, err=True)
        with connection.immediate(db):
            run = storage.ask_for_run(db, asked_by=ASKED_BY, now_ms=clock.now_ms())
        done = _wait(db, run) if _is_retention_running(db) else _work(settings, db, run)
    counts = {"raw_events_deleted": done.raw_events_deleted, "hourly_counts_deleted": done.hourly_counts_deleted}
    if as_json:
        print_json({"status": "ok", **counts, "bytes_freed": done.bytes_freed})
    else:
        freed = f"{done.bytes_freed / 2**20:.1f} MiB freed"
        click.echo(f"{done.raw_events_deleted} events and {done.hourly_counts_deleted} hourly counts deleted, {freed}")


def _own_days(text: str) -> tuple[str, int]:
    slug, _, days = text.rpartition("=")
    if days == "default" and slug:
        return slug, 0
    if not slug or not (days.isascii() and days.isdigit()) or not DAYS_MIN <= int(days) <= DAYS_MAX:
        raise click.BadParameter(f"{text}: must be SLUG=DAYS, {DAYS_MIN} to {DAYS_MAX} days, or SLUG=default")
    return slug, int(days)


def _own_issues_days(text: str) -> tuple[str, int | None]:
    slug, _, days = text.rpartition("=")
    if days == "default" and slug:
        return slug, None
    if not slug or not (days.isascii() and days.isdigit()) or int(days) > DAYS_MAX:
        raise click.BadParameter(f"{text}: must be SLUG=DAYS, 0 to {DAYS_MAX} days, or SLUG=default")
    return slug, int(days)


def _is_retention_running(db: Db) -> bool:
    """Whether the retention process is alive."""
    now_ms = clock.now_ms()
    return any(s.name == RETENTION and now_ms - s.seen_at_ms <= STALE_MS for s in process_states(db))


def _wait(db: Db, run: RetentionRunRow) -> RetentionRunRow:
    """Wait until the retention process has finished the run. Raises: Refusal when the process ends before."""
    with contextlib.closing(_Progress()) as progress:
        while run.finished_at_ms is None:
            progress.say(run)
            time.sleep(LOOK_EVERY_S)
            run = _reload(db, run)
            if run.finished_at_ms is None and not _is_retention_running(db):
                raise Refusal("the retention process does not answer; the purge continues when it is back")
    return run


def _work(settings: Settings, db: Db, run: RetentionRunRow) -> RetentionRunRow:
    """Do the run in this process."""
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
            progress.say(_reload(db, run))
            time.sleep(rest_s)
    return _reload(db, run)


def _reload(db: Db, run: RetentionRunRow) -> RetentionRunRow:
    return get_run(db, run.id) or run


class _Progress:
    """One progress line, if stderr is a terminal."""

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
