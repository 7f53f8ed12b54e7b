"""`bloop restore`: replaces the database with a backup while bloop is down, and keeps the old one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from bloop.backup.cli import describe_contents, find_backup, progress_bar
from bloop.backup.manifest import read as read_manifest
from bloop.backup.restore import RestoreResult
from bloop.backup.restore import restore as restore_backup
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict, RingError
from bloop.base.pid_file import PID_FILE, Instance
from bloop.cli_kit.context import FILE, as_json, print_json, with_settings
from bloop.ring import Segment


@click.command()
@click.argument("file", type=FILE)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json
@with_settings
def restore(settings: Settings, file: str, yes: bool, as_json: bool) -> None:
    """Replace the database with a backup.

    Stop bloop first. The old database is kept beside the new one.

    FILE is a path or a name that `bloop backup list` shows. The backup is verified first, and migrated if it is older
    than this bloop. Exit codes: 0 done, 1 refused or failed and nothing changed, 2 misuse.
    """
    path = find_backup(settings, file)
    manifest = read_manifest(path)
    with _exclude_bloop(settings):
        waiting = _count_waiting_records(settings)
        if not yes:
            click.echo(f"The backup holds {describe_contents(manifest)}.", err=True)
            click.confirm(f"Replace {settings.database_path} with it?", abort=True, err=True)
        with progress_bar(settings) as watch:
            result = restore_backup(path, settings.database_path, clock.now_ms(), watch)
    if as_json:
        kept = str(result.kept_path) if result.kept_path else None
        print_json({"restored": str(path), "kept": kept, "migrations": result.migrations, "records_waiting": waiting})
        return
    _print_result(settings, result, waiting)


def _print_result(settings: Settings, result: RestoreResult, waiting: int) -> None:
    click.echo(f"{settings.database_path} now holds {describe_contents(result.manifest)}.")
    if result.kept_path:
        click.echo(f"The old database is kept: {result.kept_path}")
    if result.migrations:
        click.echo(f"Migrated: {', '.join(result.migrations)}")
    if waiting:
        click.echo(f"{waiting} records accepted since then wait in the ring; the next start stores them.")
    click.echo("All users must sign in again; open links and invitations are void. You can start bloop now.")


@contextlib.contextmanager
def _exclude_bloop(settings: Settings) -> Iterator[None]:
    """Hold the lock of `bloop up`, so that no bloop starts meanwhile. Raises: AlreadyRunning."""
    run_dir = settings.run_dir
    try:
        run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    except PermissionError:  # systemd creates it with the first unit, so none runs; the database's lock guards the rest
        yield
        return
    instance = Instance.claim(run_dir / PID_FILE, leftovers_wait_s=0.0)
    try:
        yield
    finally:
        instance.release()
        with contextlib.suppress(OSError):  # it holds files of another program
            run_dir.rmdir()


def _count_waiting_records(settings: Settings) -> int:
    """The number of records in the ring. Raises: Conflict when a process uses it, perhaps as a unit of its own."""
    try:
        with contextlib.closing(Segment.attach(settings.ring_name)) as segment:
            stat = segment.stat()
    except RingError:
        return 0
    if stat.consumer_claimed or any(lane.claimed for lane in stat.lanes):
        raise Conflict(f"other processes use the ring {settings.ring_name}: stop bloop first")
    return stat.pending_records
