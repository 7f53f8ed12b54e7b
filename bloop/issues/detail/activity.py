"""Changes, alerts and comments of an issue → one list, oldest first. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from bloop.issues.comments.forms import comment_anchor
from bloop.issues.comments.read import CommentRow
from bloop.issues.detail.address import IssueAddress
from bloop.issues.detail.contexts import ALERTS, Activity, ActivityEntry, CommentView, IssueActivityPage
from bloop.issues.detail.frame import IssueTab, issue_frame
from bloop.issues.detail.read import ActivityRows, FrameRows
from bloop.issues.status import words as history
from bloop.issues.status.model import Status
from bloop.issues.status.read import StatusChangeRow
from bloop.site.contexts import Shell

ENTRIES_MAX = 20  # below an event
CHARS_MAX = 8000  # of comments below an event: a page has its bounds
PAGE_ENTRIES = 50  # of the page that has them all
STATUS_ICONS = {
    Status.RESOLVED: "check",
    Status.MUTED: "mute",
    Status.IGNORED: "cross",
    Status.REGRESSED: "back",
    Status.UNRESOLVED: "back",
}


def newest_activity(rows: ActivityRows, address: IssueAddress, me: str) -> Activity:
    """The newest entries, as many as fit below an event; `me` is the visitor's id."""
    entries = _entries(rows, address, me)
    kept: list[ActivityEntry] = []
    chars = 0
    for entry in reversed(entries[-ENTRIES_MAX:]):
        chars += len(entry.comment.text) if entry.comment else 0
        if kept and chars > CHARS_MAX:
            break
        kept.append(entry)
    earlier = len(entries) + rows.comment_count - len(rows.comments) - len(kept)
    return Activity(tuple(reversed(kept)), earlier, address.activity(), f"{address.path}/comments")


def activity_of_all(
    shell: Shell, frame: FrameRows, rows: ActivityRows, address: IssueAddress, me: str, page: int, now_ms: int
) -> IssueActivityPage:
    """The context of `/issues/{ref}/activity`; `page` counts from the newest entries, from 0."""
    entries = _entries(rows, address, me)
    missing = rows.comment_count - len(rows.comments)  # older than all that pages up to this one show
    end = max(len(entries) - page * PAGE_ENTRIES, 0)
    first = max(end - PAGE_ENTRIES, 0)
    return IssueActivityPage(
        shell=shell,
        now_ms=now_ms,
        frame=issue_frame(frame, address, IssueTab.ACTIVITY, me, now_ms),
        activity=Activity(tuple(entries[first:end]), 0, address.activity(), f"{address.path}/comments"),
        words=f"{first + missing + 1:,}–{end + missing:,} of {len(entries) + missing:,}" if end else "None",
        newer_href=address.activity(page - 1) if page else "",
        older_href=address.activity(page + 1) if first + missing else "",
    )


def _entries(rows: ActivityRows, address: IssueAddress, me: str) -> list[ActivityEntry]:
    first = ActivityEntry(rows.issue.first_seen_ms, "plus", "First seen in", rows.issue.first_release, "", "", "")
    changes = [_change(change) for change in sorted(rows.changes, key=attrgetter("id"))]
    comments = [_comment(comment, address, me) for comment in rows.comments]
    later = sorted([*changes, *_alerts(rows), *comments], key=attrgetter("at_ms"))  # of equal times, in that order
    return [first, *later]


def _change(change: StatusChangeRow) -> ActivityEntry:
    sentence = history.sentence(change)
    return ActivityEntry(
        at_ms=change.changed_at_ms,
        icon="user" if change.action == history.ASSIGNED else STATUS_ICONS.get(Status(change.new_status), "back"),
        text=sentence.text,
        release=sentence.release,
        person=sentence.person,
        who=history.who(change),
        place=history.place(change),
        undo_id=change.undo_id or "",
        undo_label="Redo" if change.action == history.UNDONE else "Undo",
    )


def _alerts(rows: ActivityRows) -> Iterator[ActivityEntry]:
    """A line for each alert, with all its receivers."""
    for _, group in groupby(rows.announced, key=attrgetter("firing_id")):
        sent = list(group)
        receivers = ", ".join(row.receiver for row in sent)
        yield ActivityEntry(sent[0].sent_at_ms, ALERTS, "Alert sent to", "", receivers, sent[0].rule_name, "")


def _comment(row: CommentRow, address: IssueAddress, me: str) -> ActivityEntry:
    is_own = row.author == me
    view = CommentView(
        anchor=comment_anchor(row.id),
        text=row.text,
        is_edited=row.edited_at_ms is not None,
        href=f"{address.path}/comments/{row.id}" if is_own else "",
        form_query=address.query,
    )
    place = "through the API" if row.via == "api" else ""
    return ActivityEntry(row.created_at_ms, "chat", "", "", "", row.author_name or "A removed account", place, view)


def comments_to_read(page: int) -> int:
    """How many of the newest comments a page of the activity may need."""
    return (page + 1) * PAGE_ENTRIES
