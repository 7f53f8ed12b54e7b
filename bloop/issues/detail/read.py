"""The rows behind an issue's pages, read in one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from bloop.accounts.people import read as users
from bloop.accounts.people.read import UserRow
from bloop.alerts.deliveries import read as alert_log
from bloop.alerts.deliveries.read import AnnouncedRow
from bloop.base.clock import HOUR_MS, MINUTE_MS
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
from bloop.site.strip import bucket_of

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


# A seek for each minute in the primary key (project_id, minute_ms, fingerprint_id, environment, source).
_SELECT_MINUTES = """
SELECT m.minute_ms, m.event_count
  FROM fingerprints AS f
 CROSS JOIN json_each(:minutes) AS t
 CROSS JOIN minute_counts AS m
 WHERE f.issue_id = :issue_id AND m.project_id = f.project_id AND m.minute_ms = t.value AND m.fingerprint_id = f.id
   AND (:environment = '' OR m.environment = :environment)
"""


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
        series=_series(db, issue.id, counts),
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


def _series(db: Db, issue_id: int, counts: CountScope) -> Series:
    """The events of the scope over time, as fine as the strip shows them: 1,440 minutes take 2 ms."""
    window = counts.window
    if bucket_of(window) >= HOUR_MS or window.unit_ms >= HOUR_MS:
        return issue_series(db, [issue_id], counts)[issue_id]
    minutes = orjson.dumps([*range(window.from_ms, window.to_ms, MINUTE_MS)]).decode()
    bindings = {"issue_id": issue_id, "minutes": minutes, "environment": counts.environment}
    return [(at_ms, int(count)) for at_ms, count in db.execute(_SELECT_MINUTES, bindings)]
