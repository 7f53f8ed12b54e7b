"""`bloop export` and `bloop import`: the settings stored in the database, as a readable file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict
from bloop.cli_kit.context import FILE, as_json, change, database, print_json, with_settings
from bloop.db import connection
from bloop.db.engine import Db
from bloop.transfer.document import BYTES_MAX, Document, parse, render

if TYPE_CHECKING:
    from bloop.transfer.report import ImportReport

STANDARD_INPUT = "-"


@click.command()
@click.argument("file", type=FILE, required=False)
@click.option("--with-keys", is_flag=True, help="Include the projects' keys.")
@click.option("--with-secrets", is_flag=True, help="Include addresses and secrets of alert channels.")
@with_settings
def export(settings: Settings, file: str | None, with_keys: bool, with_secrets: bool) -> None:
    """Write settings, projects and alert rules as JSON.

    Writes to FILE, or to stdout. Events are not included; keys and secrets only with --with-keys and --with-secrets.
    """
    from bloop.transfer.export import export as gather  # here and below: every other command would wait for its imports

    with database(settings) as db:
        db.execute("BEGIN")  # one consistent snapshot
        document = gather(db, clock.now_ms(), with_keys=with_keys, with_secrets=with_secrets)
    if file is None:
        click.echo(render(document), nl=False)
        return
    _write_private(Path(file), render(document))
    click.echo(f"wrote {file}", err=True)


@click.command("import")
@click.argument("file", type=FILE)
@click.option("--dry-run", is_flag=True, help="List the changes without making them.")
@as_json
@with_settings
def import_(settings: Settings, file: str, dry_run: bool, as_json: bool) -> None:
    """Apply FILE atomically; `-` reads stdin.

    Projects are matched by slug, rules by project and name. Anything the file does not name stays unchanged.
    """
    document = parse(_read(file))
    report = _try(settings, document) if dry_run else change(settings, lambda db: _apply(settings, db, document))
    if as_json:
        print_json({"dry_run": dry_run, "changes": report.changes, "notes": report.notes})
        return
    for line in report.changes:
        click.echo(f"would change: {line}" if dry_run else line)
    if not report.changes:
        click.echo("nothing to change")
    for line in report.notes:
        click.echo(f"note: {line}", err=True)


def _apply(settings: Settings, db: Db, document: Document) -> ImportReport:
    from bloop.transfer.importing import apply

    return apply(db, document, settings, clock.now_ms())


def _try(settings: Settings, document: Document) -> ImportReport:
    """Apply the document in a transaction and roll it back."""
    with database(settings) as db, connection.trial(db):
        return _apply(settings, db, document)


def _read(file: str) -> bytes:
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read(BYTES_MAX + 1)
    with Path(file).open("rb") as source:
        return source.read(BYTES_MAX + 1)


def _write_private(path: Path, text: str) -> None:
    """Write a new file, readable by this user only."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(f"{path} already exists") from None
    with open(fd, "w", encoding="utf-8") as file:
        file.write(text)
