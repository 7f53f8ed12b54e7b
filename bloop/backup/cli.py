"""`bloop backup`: makes, lists and verifies backups, whether bloop runs or not, also before an upgrade migrates."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from bloop.backup import folder as folders
from bloop.backup import store as storage
from bloop.backup.create import create
from bloop.backup.folder import Entry
from bloop.backup.manifest import Manifest
from bloop.backup.read import bad_files
from bloop.backup.verify import drill, verify_bytes
from bloop.backup.verify import verify as verify_backup
from bloop.backup.watch import Watch
from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import NotFound
from bloop.cli_kit.context import FILE, FOLDER, as_json, print_json, print_table, with_settings
from bloop.db import connection, migrate
from bloop.db import errors as db_errors

MIB = 1024 * 1024


class _DefaultsToNow(click.Group):
    """Without a subcommand it makes a backup: `bloop backup --to DIR` is `bloop backup now --to DIR`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["now", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_DefaultsToNow)
def backup() -> None:
    """Make, list and verify backups.

    Without a command, it makes a backup now.

    Exit codes: 0 done, 1 failed or damaged, 2 misuse.
    """


@backup.command()
@click.option("--to", "to", type=FOLDER, metavar="DIR", help="Folder for the backup (default: backup.directory).")
@as_json
@with_settings
def now(settings: Settings, to: str | None, as_json: bool) -> None:
    """Make a backup, test a restore, and print its path."""
    folder, now_ms = Path(to).resolve() if to else settings.backup_dir, clock.now_ms()
    with progress_bar(settings) as watch:
        entry = create(settings.database_path, folder, now_ms, watch=watch)
        if settings.backup.drill:
            drill(entry.path, now_ms, watch)
        if folder == settings.backup_dir:
            _record_and_rotate(settings, entry, watch)
    if as_json:
        print_json(entry_fields(entry) | {"proven": settings.backup.drill})
        return
    proven = ", restore tested" if settings.backup.drill else ""
    click.echo(f"{entry.manifest.file_bytes / MIB:.1f} MiB{proven}", err=True)
    click.echo(entry.path)


@backup.command("list")
@click.option("--in", "folder", type=FOLDER, metavar="DIR", help="Folder to list (default: backup.directory).")
@as_json
@with_settings
def list_(settings: Settings, folder: str | None, as_json: bool) -> None:
    """List the backups, newest first.

    Only files with a valid manifest and the right size are listed.
    """
    entries = folders.entries(Path(folder).resolve() if folder else settings.backup_dir)
    if as_json:
        print_json([entry_fields(entry) for entry in entries])
        return
    print_table(
        ("FILE", "MADE (UTC)", "BY", "MIB", "UNPACKED", "ISSUES", "EVENTS", "BLOOP"),
        [
            (
                entry.path.name,
                format_minute(entry.manifest.created_at_ms),
                entry.manifest.cause,
                f"{entry.manifest.file_bytes / MIB:.1f}",
                f"{entry.manifest.database_bytes / MIB:.1f}",
                entry.manifest.rows.get("issues", 0),
                entry.manifest.rows.get("events", 0),
                entry.manifest.bloop_version,
            )
            for entry in entries
        ],
    )


@backup.command()
@click.argument("file", type=FILE)
@click.option("--quick", is_flag=True, help="Check only checksums: unpack nothing, need no disk space.")
@as_json
@with_settings
def verify(settings: Settings, file: str, quick: bool, as_json: bool) -> None:
    """Compare a backup with its manifest.

    Checks every byte and the unpacked database. FILE is a path, or a name that `bloop backup list` shows.
    """
    path = find_backup(settings, file)
    with progress_bar(settings) as watch:
        manifest = (verify_bytes if quick else verify_backup)(path, watch)
    if as_json:
        print_json(entry_fields(Entry(path, manifest)) | {"unpacked": not quick})
        return
    click.echo(f"{path} is good: {describe_contents(manifest)}", err=True)


# Shared by the commands about backups --------------------------------------------------------------------------------


def find_backup(settings: Settings, reference: str) -> Path:
    """The packed file at a path, or with a name in the backup folder. Raises: NotFound."""
    given, listed = Path(reference), settings.backup_dir / reference
    for path in (given, listed):
        if os.path.isfile(path):  # Path.is_file() raises without permission to look: root's home under sudo
            return path.resolve()
    raise NotFound(f"backup {reference} not found, and no file {listed}")


@contextlib.contextmanager
def progress_bar(settings: Settings) -> Iterator[Watch]:
    """A progress bar on stderr, if that is a terminal."""
    from rich.console import Console  # here, because importing it takes 60 ms
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Starting", total=1.0)

        def report(step: str, share: float) -> None:
            bar.update(task, description=f"{step:<10}", completed=share)

        yield Watch(report=report, free_bytes_min=settings.database.disk_free_bytes_min)


def entry_fields(entry: Entry) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(entry.manifest)
    return {"file": str(entry.path), **fields}


def describe_contents(manifest: Manifest) -> str:
    rows = manifest.rows
    return (
        f"{rows.get('projects', 0)} projects, {rows.get('issues', 0)} issues and {rows.get('events', 0)} events "
        f"of {format_minute(manifest.created_at_ms)} UTC"
    )


def format_minute(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _record_and_rotate(settings: Settings, entry: Entry, watch: Watch) -> None:
    """Record the backup if the database has the table, and remove backups beyond `backup.keep`."""
    bad: frozenset[str] = frozenset()
    with (
        contextlib.suppress(db_errors.Error),
        contextlib.closing(connection.open_control(settings.database_path)) as db,
    ):
        if not migrate.pending(db):  # an older schema may lack the table; the backup is made anyway
            now_ms = clock.now_ms()
            bad = bad_files(db)
            with connection.immediate(db):
                storage.add_done(
                    db,
                    created_at_ms=entry.manifest.created_at_ms,
                    now_ms=now_ms,
                    file=entry.path.name,
                    file_bytes=entry.manifest.file_bytes,
                    database_bytes=entry.manifest.database_bytes,
                    proven_at_ms=now_ms if settings.backup.drill else None,
                )
    keep, database_id = settings.backup.keep, entry.manifest.database_id
    folders.rotate(settings.backup_dir, database_id=database_id, keep=keep, bad=bad, watch=watch)
