"""`bloop undo ID`: takes a change of issues back; the commands that change them print its id."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from bloop.base import clock
from bloop.base.config import Settings
from bloop.base.errors import Conflict
from bloop.cli_kit.context import as_json, database, print_json, with_settings
from bloop.db import connection
from bloop.db.engine import Db
from bloop.issues.status.audit import OPERATOR
from bloop.issues.undo.actions import find_parts, undo_parts
from bloop.issues.undo.model import skipped_words
from bloop.projects.read import project_ids

T = TypeVar("T")


@click.command(short_help="Undo a change of issues.")
@click.argument("undo_id", metavar="ID")
@as_json
@with_settings
def undo(settings: Settings, undo_id: str, as_json: bool) -> None:
    """Undo a change of issues: put back their status, mute and assignee.

    Issues that changed since stay as they are, and are named. Changes are kept for 7 days.
    """
    with database(settings) as db:

        def change_here(action: Callable[[Db], T]) -> T:
            with connection.immediate(db):
                return action(db)

        parts = find_parts(db, undo_id, project_ids(db))
        result = undo_parts(change_here, parts, actor=OPERATOR, now_ms=clock.now_ms())
    if not result.undone:
        raise Conflict(f"nothing was undone: {skipped_words(result.skipped, result.skipped_count)}")
    if as_json:
        skipped = [{"id": issue.short_id or None, "error": issue.reason} for issue in result.skipped]
        print_json({"undone": result.undone, "skipped": skipped, "undo_id": result.undo_id})
        return
    subject = result.short_id or f"{result.undone} issues"
    click.echo(f"{subject}: undone", err=True)
    if result.skipped_count:
        click.echo(skipped_words(result.skipped, result.skipped_count), err=True)
    click.echo(f"Redo with: bloop undo {result.undo_id}")
