"""The rows behind an issue's pages, read in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bloop.accounts.people import read as users
from bloop.accounts.people.read import UserRow
from bloop.alerts.deliveries import read as alert_log
from bloop.alerts.deliveries.read import AnnouncedRow
from bloop.db.engine import Db
from bloop.issues import aggregates
from bloop.issues.aggregates import AggregateRow
from bloop.issues.comments import read as comments
from bloop.issues.comments.read import CommentRow
from bloop.issues.counts.scope import CountScope
from bloop.issues.counts.scoped import Series, issue_series
from bloop.issues.events import scoped
from bloop.issues.events.scoped import EventScope, ScopedEvents
from bloop.issues.read import IssueRow
from bloop.issues.status import read as status
from bloop.issues.status.read import StatusChangeRow
from bloop.pipeline import signal_log as signals
from bloop.releases import read as releases
from bloop.site.scope import PageScope, Window

ANNOUNCED_MAX = 20  # alerts in the activity of an issue


class FrameRows(NamedTuple):
    """What every page of an issue shows. `releases` are those of the project that were first seen in the window."""

    issue: IssueRow
    window: Window
    series: Series
    events: ScopedEvents
    aggregates: Sequence[AggregateRow]
    releases: Sequence[tuple[str, int]]
    people: Sequence[UserRow]
    signal_id: int
    comment_count: int
    changes: Sequence[StatusChangeRow]
    announced: Sequence[AnnouncedRow]

    @property
    def activity_count(self) -> int:
        """Entries of the activity, down to the first event."""
        return len(self.changes) + len({row.firing_id for row in self.announced}) + self.comment_count + 1


class ActivityRows(NamedTuple):
    """What was done to an issue and written about it. `comments` are the newest of `comment_count`, oldest first."""

    issue: IssueRow
    changes: Sequence[StatusChangeRow]
    announced: Sequence[AnnouncedRow]
    comments: Sequence[CommentRow]
    comment_count: int


def read_frame(db: Db, issue: IssueRow, scope: PageScope, now_ms: int) -> FrameRows:
    counts = CountScope.of(scope, now_ms)
    window = counts.window
    within = EventScope(window.from_ms, window.to_ms, scope.environment, scope.release)
    new_releases = releases.new_releases(db, [issue.project_id], window.from_ms)
    return FrameRows(
        issue=issue,
        window=window,
        series=issue_series(db, [issue.id], counts)[issue.id],
        events=scoped.events_in_scope(db, issue.id, within),
        aggregates=aggregates.of_issues(db, [issue.id]),
        releases=[(name, at_ms) for name, at_ms in new_releases if scope.release in ("", name)],
        people=users.list_users(db),
        signal_id=signals.last_id(db),
        comment_count=comments.count_comments(db, issue.id),
        changes=status.history(db, [issue.id]),
        announced=alert_log.announced(db, issue.id, limit=ANNOUNCED_MAX),
    )


def read_activity(db: Db, frame: FrameRows, comments_max: int) -> ActivityRows:
    newest = comments.list_comments(db, [frame.issue.id], limit=comments_max)
    return ActivityRows(frame.issue, frame.changes, frame.announced, newest, frame.comment_count)
