"""`bloop restore`: a backup takes the place of the database. Only while bloop is down; nothing is thrown away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from bloop.backup.cli import contents, find, watching
from bloop.backup.manifest import read as read_manifest
from bloop.backup.restore import Restored
from bloop.backup.restore import restore as put_back
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict, RingError
from bloop.base.pid_file import Instance
from bloop.command.context import as_json, print_json, with_settings
from bloop.ring import Segment


@click.command()
@click.argument("file")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@with_settings
def restore(settings: Settings, file: str, yes: bool, as_json: bool) -> None:
    """Put a backup in the place of the database, which is kept beside it. Stop bloop first.

    FILE is a path or a name that `bloop backup list` shows. The backup is verified first, and migrated if it is older
    than this bloop. Exit codes: 0 done, 1 refused or failed and nothing changed, 2 misuse.
    """
    path = find(settings, file)
    manifest = read_manifest(path)
    with _bloop_kept_away(settings):
        waiting = _records_waiting(settings)
        if not yes:
            click.echo(f"The backup holds {contents(manifest)}.", err=True)
            click.confirm(f"Replace {settings.database_path} with it?", abort=True, err=True)
        with watching(settings) as watch:
            done = put_back(path, settings.database_path, clock.now_ms(), watch)
    if as_json:
        kept = str(done.kept) if done.kept else None
        print_json({"restored": str(path), "kept": kept, "migrations": done.migrations, "records_waiting": waiting})
        return
    _tell(settings, done, waiting)


def _tell(settings: Settings, done: Restored, waiting: int) -> None:
    click.echo(f"{settings.database_path} now holds {contents(done.manifest)}.")
    if done.kept:
        click.echo(f"What was there is kept: {done.kept}")
    if done.migrations:
        click.echo(f"Migrated: {', '.join(done.migrations)}")
    if waiting:
        click.echo(f"{waiting} records that were accepted since wait in the ring; the next start stores them.")
    click.echo("Everybody signs in again; open links and invitations are void. Start bloop when you are ready.")


@contextlib.contextmanager
def _bloop_kept_away(settings: Settings) -> Iterator[None]:
    """Hold what `bloop up` would hold, so that none starts meanwhile. Raises: AlreadyRunning."""
    run_dir = settings.run_dir
    try:
        run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    except PermissionError:  # systemd makes it when a unit starts, so none has; the database's own lock guards the rest
        yield
        return
    instance = Instance.claim(run_dir / "bloop.pid", leftovers_wait_s=0.0)
    try:
        yield
    finally:
        instance.release()
        with contextlib.suppress(OSError):  # somebody else's file in it
            run_dir.rmdir()


def _records_waiting(settings: Settings) -> int:
    """What the ring still holds. Raises: Conflict when a process works on it, started as a unit of its own perhaps."""
    try:
        with contextlib.closing(Segment.attach(settings.ring_name)) as segment:
            stat = segment.stat()
    except RingError:
        return 0
    if stat.consumer_claimed or any(lane.claimed for lane in stat.lanes):
        raise Conflict(f"processes work on the ring {settings.ring_name}: stop bloop first")
    return stat.pending_records
