"""`bloop issue show`: an issue, its newest event with the stack, comments and history, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

from bloop.base.config import Settings
from bloop.cli_kit.context import as_json, database, print_json, print_table, with_settings
from bloop.db.engine import Db
from bloop.grouping.stacks.parse import parse
from bloop.issues.cli_rows import named_issues, public, state, title
from bloop.issues.comments import read as comments
from bloop.issues.comments.read import CommentRow
from bloop.issues.detail import show as wire
from bloop.issues.detail.chosen_event import LOOKED_AT_MAX, choose_event
from bloop.issues.detail.facts import metadata_of
from bloop.issues.detail.markdown import plain
from bloop.issues.events import read as events
from bloop.issues.events.read import EventRow
from bloop.issues.limits.model import describe_users
from bloop.issues.read import IssueRow
from bloop.issues.status import read as trail
from bloop.issues.status.read import StatusChangeRow
from bloop.issues.status.words import place, sentence, who
from bloop.site.filters import exact, pretty_json

HISTORY_MAX = 20
COMMENTS_MAX = 20
LINES_MAX = 60  # of a stack; --json has all of it
METADATA_LINES_MAX = 40


class ShownIssue(NamedTuple):
    """What the command prints. `chosen` says why this event."""

    issue: IssueRow
    event: EventRow | None
    chosen: str
    comments: Sequence[CommentRow]
    changes: Sequence[StatusChangeRow]


@click.command()
@click.argument("ref", metavar="ID")
@click.option("--project", "slug", help="Only in this project.")
@as_json
@with_settings
def show(settings: Settings, ref: str, slug: str | None, as_json: bool) -> None:
    """Show an issue, its newest event and history.

    ID is a short id such as SHOP-12, or a fingerprint. Prints the numbers of the issue, the newest event that has a
    stack trace, its metadata, comments and the history.
    """
    with database(settings) as db:
        shown = _read(db, named_issues(db, [ref], slug)[0])
    if as_json:
        print_json(_document(shown))
        return
    print_table((shown.issue.short_id, title(shown.issue)), _facts(shown.issue))
    for block in (_event_lines(shown), _comment_lines(shown.comments), _history_lines(shown.changes)):
        lines = list(block)
        if lines:
            click.echo("\n" + "\n".join(lines))


def _read(db: Db, issue: IssueRow) -> ShownIssue:
    event, chosen = choose_event(events.list_events(db, [issue.id], limit=LOOKED_AT_MAX).rows)
    return ShownIssue(
        issue,
        event,
        chosen,
        comments.list_comments(db, [issue.id], limit=COMMENTS_MAX),
        trail.history(db, [issue.id])[:HISTORY_MAX],
    )


def _document(shown: ShownIssue) -> dict[str, Any]:
    history = [
        {
            "at_ms": entry.changed_at_ms,
            "text": str(sentence(entry)),
            "by": entry.changed_by,
            "via": entry.changed_via,
        }
        for entry in shown.changes
    ]
    return public(shown.issue) | {
        "event": wire.sample(shown.event) | {"metadata": metadata_of(shown.event)} if shown.event else None,
        "event_chosen": shown.chosen,
        "comments": [wire.comment(comment) for comment in shown.comments],
        "history": history,
    }


def _facts(row: IssueRow) -> list[tuple[str, object]]:
    return [
        ("status", state(row)),
        ("assigned to", row.assignee_username or "-"),
        ("events", row.event_count),
        ("users", describe_users(row.user_count, is_estimate=bool(row.users_are_estimated))),
        ("first seen", f"{exact(row.first_seen_ms)}, {plain(row.first_release)}"),
        ("last seen", f"{exact(row.last_seen_ms)}, {plain(row.last_release)}"),
        ("fingerprint", plain(row.fingerprint)),
    ]


def _event_lines(shown: ShownIssue) -> Iterator[str]:
    event = shown.event
    if event is None:
        yield "Its events have expired; the numbers are complete."
        return
    yield f"Event {event.id}, {exact(event.timestamp_ms)} ({shown.chosen})"
    for name, value in _where(event):
        yield f"  {name + ':':13} {plain(value)}"
    if event.message != shown.issue.message:
        yield f"  {plain(event.message)}"
    if event.stack:
        yield ""
        yield from _stack_lines(event.stack)
    metadata = metadata_of(event)
    if metadata is not None:
        yield ""
        yield "Metadata"
        yield from _cut(plain(pretty_json(metadata)).splitlines(), METADATA_LINES_MAX)


def _where(event: EventRow) -> Iterator[tuple[str, str]]:
    facts = (
        ("environment", event.environment),
        ("release", event.release),
        ("route", event.route),
        ("http status", None if event.http_status is None else str(event.http_status)),
        ("request", event.request_id),
        ("user", event.user_id_hash),
    )
    return ((name, value) for name, value in facts if value)


def _stack_lines(text: str) -> Iterator[str]:
    """Frames, the most recent call first, library frames marked; text of no known shape as it is."""
    stack = parse(text)
    if not stack.sections:
        yield from _cut(plain(text).splitlines(), LINES_MAX)
        return
    lines: list[str] = []
    for section in stack.sections:
        lines += [plain(line) for line in (section.relation, section.heading) if line]
        for frame in section.frames:
            mark = " " if frame.in_app or not section.has_app_frames else "."
            lines.append(f"  {mark} {plain(frame.function) or 'anonymous'}  {plain(frame.location)}")
            if frame.code:
                lines.append(f"      {plain(frame.code)}")
    yield from _cut(lines, LINES_MAX)


def _comment_lines(rows: Sequence[CommentRow]) -> Iterator[str]:
    for row in rows:
        yield f"{exact(row.created_at_ms)}  {plain(row.author_name or 'a removed account')}"
        yield from (f"  {line}" for line in plain(row.text).splitlines())


def _history_lines(changes: Sequence[StatusChangeRow]) -> Iterator[str]:
    for entry in changes:
        by = f" by {plain(who(entry))}" if who(entry) else ""
        where = f" ({place(entry)})" if place(entry) else ""
        yield f"{exact(entry.changed_at_ms)}  {plain(str(sentence(entry)))}{by}{where}"


def _cut(lines: Sequence[str], lines_max: int) -> Iterator[str]:
    yield from lines[:lines_max]
    if len(lines) > lines_max:
        yield f"  … {len(lines) - lines_max:,} more lines"
