"""`bloop issue`: list, show, resolve, ignore, mute, reopen, assign, delete. Issues go by short id or fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

from bloop.accounts.people.read import get_user_by_name
from bloop.base import clock
from bloop.base.config import Settings
from bloop.cli_kit.context import SearchCommand, as_json, change, database, print_json, print_table, with_settings
from bloop.cli_kit.times import Instant, SpanParam
from bloop.db import connection
from bloop.db.engine import Db
from bloop.issues.cli_rows import named_issues, projects_of, public, title
from bloop.issues.deletion.actions import delete_ids
from bloop.issues.deletion.read import count_events, matching_ids
from bloop.issues.detail.cli import show
from bloop.issues.read import IssueFilter, list_issues
from bloop.issues.search.terms import parse
from bloop.issues.status.audit import OPERATOR
from bloop.issues.status.changes import Assignment, IssueChange, change_issues
from bloop.issues.status.choices import StatusChoice
from bloop.issues.status.model import Status
from bloop.issues.status.mutes import EVENTS_MAX, FOREVER, Mute
from bloop.issues.status.regression import NOW, Resolution
from bloop.site.filters import relative

T = TypeVar("T")

ROWS_MAX = 200
HISTORY_MAX = 20

ids = click.argument("ids", nargs=-1, required=True)
in_project = click.option("--project", "slug", help="Only in this project.")


@click.group()
def issue() -> None:
    """List, show, resolve, mute, assign and delete issues."""


@issue.command("list", cls=SearchCommand)
@click.argument("query", nargs=-1)
@in_project
@click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=20, show_default=True, help="Issues to list.")
@as_json
@with_settings
def list_(settings: Settings, query: tuple[str, ...], slug: str | None, limit: int, as_json: bool) -> None:
    """List issues that match QUERY, last seen first.

    QUERY is what the search box of the dashboard takes. Without `is:`, only open issues are listed.
    """
    asked, now_ms = parse(" ".join(query)), clock.now_ms()
    asked = asked if asked.says_status else parse(f"is:open {' '.join(query)}")
    with database(settings) as db:
        rows = list_issues(db, projects_of(db, slug), IssueFilter(query=asked, now_ms=now_ms), limit=limit).rows
    if as_json:
        print_json([public(row) for row in rows])
        return
    print_table(
        ("ID", "STATUS", "EVENTS", "USERS", "LAST SEEN", "ASSIGNED", "TITLE"),
        [
            (
                row.short_id,
                "still firing" if row.is_firing else row.status,
                row.event_count,
                row.user_count,
                relative(row.last_seen_ms, now_ms),
                row.assignee_username or "",
                title(row),
            )
            for row in rows
        ],
    )


issue.add_command(show)


@issue.command()
@ids
@in_project
@click.option(
    "--in", "release", metavar="RELEASE", help="Fixed in this release: events of older ones do not open it again."
)
@click.option("--next", "is_next", is_flag=True, help="Fixed in the next release.")
@with_settings
def resolve(settings: Settings, ids: tuple[str, ...], slug: str | None, release: str | None, is_next: bool) -> None:
    """Resolve issues.

    An event received after that opens the issue again; --in and --next say from which release on.
    """
    if release and is_next:
        raise click.UsageError("use either --in or --next")
    where = Resolution(is_next=True) if is_next else Resolution(release) if release else NOW
    _set(settings, ids, slug, Status.RESOLVED, resolution=where)


@issue.command()
@ids
@in_project
@with_settings
def ignore(settings: Settings, ids: tuple[str, ...], slug: str | None) -> None:
    """Ignore issues: events are counted, alerts never sent."""
    _set(settings, ids, slug, Status.IGNORED)


@issue.command()
@ids
@in_project
@click.option("--for", "span_ms", type=SpanParam(), help="For 30m, 2h, 7d, 2w.")
@click.option("--until", "until_ms", type=Instant(), help="Until 2026-01-18T12:00, UTC.")
@click.option("--events", type=click.IntRange(1, EVENTS_MAX), help="Until this many more events.")
@click.option("--per-hour", type=click.IntRange(1, EVENTS_MAX), help="Until more than this many events in one hour.")
@with_settings
def mute(
    settings: Settings,
    ids: tuple[str, ...],
    slug: str | None,
    span_ms: int | None,
    until_ms: int | None,
    events: int | None,
    per_hour: int | None,
) -> None:
    """Mute issues: events are counted, alerts are not sent.

    Without an option, until the issue is opened again.
    """
    if sum(value is not None for value in (span_ms, until_ms, events, per_hour)) > 1:
        raise click.UsageError("use only one of --for, --until, --events and --per-hour")
    until_ms = until_ms if span_ms is None else clock.now_ms() + span_ms
    _set(settings, ids, slug, Status.MUTED, mute=Mute(until_ms, events, per_hour))


@issue.command()
@ids
@in_project
@with_settings
def reopen(settings: Settings, ids: tuple[str, ...], slug: str | None) -> None:
    """Open issues again."""
    _set(settings, ids, slug, Status.UNRESOLVED)


@issue.command(hidden=True)
@ids
@in_project
@with_settings
def unresolve(settings: Settings, ids: tuple[str, ...], slug: str | None) -> None:
    """The older name of `reopen`."""
    _set(settings, ids, slug, Status.UNRESOLVED)


@issue.command("assign")
@ids
@in_project
@click.option("--to", "username", help="The account's name.")
@click.option("--nobody", is_flag=True, help="Remove the assignment.")
@with_settings
def assign_(settings: Settings, ids: tuple[str, ...], slug: str | None, username: str | None, nobody: bool) -> None:
    """Assign issues to an account."""
    if nobody == (username is not None):
        raise click.UsageError("use either --to NAME or --nobody")

    def run(db: Db) -> IssueChange:
        return Assignment(get_user_by_name(db, username) if username else None)

    _change(settings, ids, slug, run, f"assigned to {username}" if username else "unassigned")


@issue.command()
@click.argument("ids", nargs=-1)
@in_project
@click.option("--all-matching", "query", metavar="QUERY", help='What `list` takes; "" is every issue of the project.')
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json
@with_settings
def delete(
    settings: Settings, ids: tuple[str, ...], slug: str | None, query: str | None, yes: bool, as_json: bool
) -> None:
    """Delete issues with their events and history.

    Name issues, or use --all-matching with a search. This cannot be undone. A later event
    creates a new issue. The retention process removes the rows.
    """
    if bool(ids) == (query is not None):
        raise click.UsageError("name issues, or use --all-matching QUERY")
    if query is not None and slug is None:
        raise click.UsageError("--all-matching needs --project: a search deletes in one project at a time")
    now_ms = clock.now_ms()
    with database(settings) as db:
        projects = projects_of(db, slug)
        if query is None:
            rows = named_issues(db, ids, slug)
            issue_ids, subject = [row.id for row in rows], " ".join(row.short_id for row in rows)
        else:
            issue_ids = [*matching_ids(db, projects, IssueFilter(query=parse(query), now_ms=now_ms))]
            subject = query
        if not yes and issue_ids:
            counted = f"{len(issue_ids)} issue{'s' * (len(issue_ids) != 1)}, {count_events(db, issue_ids)} events"
            click.confirm(f"Delete {counted}?", abort=True, err=True)

        def change_here(action: Callable[[Db], T]) -> T:
            with connection.immediate(db):
                return action(db)

        project_id = projects[0] if slug else None
        deletion = delete_ids(change_here, issue_ids, subject, project_id=project_id, actor=OPERATOR, now_ms=now_ms)
    deleted = deletion.deleted
    if as_json:
        print_json({"deleted": deleted.issues, "events": deleted.events})
        return
    later = "; the retention process continues in the background" if deletion.is_waiting else ""
    click.echo(f"{deleted.issues} issue{'s' * (deleted.issues != 1)} deleted, {deleted.events} events{later}")


def _set(
    settings: Settings,
    references: Sequence[str],
    slug: str | None,
    status: Status,
    resolution: Resolution = NOW,
    mute: Mute = FOREVER,
) -> None:
    _change(settings, references, slug, lambda db: StatusChoice(status, resolution, mute), status.value)


def _change(
    settings: Settings,
    references: Sequence[str],
    slug: str | None,
    change_of: Callable[[Db], IssueChange],
    done: str,
) -> None:
    """All of them or none; prints the id that undoes it."""

    def run(db: Db) -> tuple[list[str], str]:
        found = named_issues(db, references, slug)
        changed = change_issues(db, [row.id for row in found], change_of(db), actor=OPERATOR, now_ms=clock.now_ms())
        return [row.short_id for row in found], changed.undo_id

    short_ids, undo_id = change(settings, run)
    click.echo(f"{', '.join(short_ids)}: {done}", err=True)
    click.echo(f"Undo with: bloop undo {undo_id}")
