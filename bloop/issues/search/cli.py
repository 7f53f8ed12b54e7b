"""`bloop event`: find single events, by what the search language says of them."""

from __future__ import annotations

import json

import click
import orjson

from bloop.base import clock
from bloop.base.config import Settings
from bloop.cli_kit.context import SearchCommand, as_json, database, print_json, print_table, with_settings
from bloop.db import connection
from bloop.issues.cli_rows import projects_of, title_of
from bloop.issues.detail.markdown import plain
from bloop.issues.events.read import ROW_ID_MAX
from bloop.issues.events.search import LIMIT_MAX, EventMatches, find_events
from bloop.issues.search.found import FoundEvent, public, with_issues
from bloop.issues.search.terms import parse
from bloop.site.filters import exact

ID_CHARS_MAX = 32


@click.group()
def event() -> None:
    """Find single events."""


@event.command(cls=SearchCommand)
@click.argument("query", nargs=-1)
@click.option("--project", "slug", help="Only in this project.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=20, show_default=True, help="Events to list.")
@click.option("--after", type=click.IntRange(1, ROW_ID_MAX), help="Continue an earlier search.")
@as_json
@with_settings
def find(
    settings: Settings, query: tuple[str, ...], slug: str | None, limit: int, after: int | None, as_json: bool
) -> None:
    """Show the newest events that match QUERY.

    Examples: request:req-4711 · user:5f2c9e env:production · "http:>=500" tag.plan:pro. Quote < and > for the shell.
    """
    asked = parse(" ".join(query))
    with database(settings) as db, connection.snapshot(db):
        page = find_events(db, projects_of(db, slug), asked, now_ms=clock.now_ms(), limit=limit, before=after)
        found = with_issues(db, page.rows)
    if as_json:
        events = json.loads(orjson.dumps([public(row) for row in found]))  # metadata is a fragment of JSON
        print_json({"events": events, "next": page.next, "scanned": page.scanned, "complete": page.is_complete})
        return
    print_table(("TIME", "ISSUE", "ERROR", "REQUEST", "USER", "RELEASE", "ENVIRONMENT"), [_line(row) for row in found])
    if (note := _note(page)) is not None:
        click.echo(note, err=True)


def _line(found: FoundEvent) -> tuple[object, ...]:
    row, issue = found
    return (
        exact(row.received_at_ms),
        issue.short_id,
        title_of(row.error_type, row.message),
        _short(row.request_id),
        _short(row.user_id_hash),
        plain(row.release),
        plain(row.environment),
    )


def _short(text: str | None) -> str:
    shown = plain(text or "")
    return shown if len(shown) <= ID_CHARS_MAX else shown[: ID_CHARS_MAX - 1] + "…"


def _note(page: EventMatches) -> str | None:
    """What a table cannot show: that there are more events, or that older ones were not looked at."""
    if page.next is None:
        return None if page.rows else "No matches"
    if page.is_complete:
        return f"More events match. Continue with --after {page.next}"
    return f"Stopped after {page.scanned:,} events. Narrow the search, or continue with --after {page.next}"
